// SPDX-License-Identifier: Apache-2.0
// What stage 1 leaves behind in LLaVA's own layout: the adapter alone and a configuration.

internal import SEAFormat
package import SEAModel
internal import SEATensor

/// A trained adapter with the places of what it was trained between.
package struct ProjectorExport: Sendable {
  /// The adapter.
  package let adapter: AdapterDescription
  /// Its tensors by canonical name, row by row.
  package let tensors: [String: [Float]]
  /// Folder of the language model, whose config.json is taken over.
  package let languageFolder: String
  /// Folder of the encoder.
  package let visionFolder: String
  /// Row and layer selection of the encoder.
  package let encoder: EncoderDescription
  /// Whether pictures are padded to squares.
  package let padsPictures: Bool

  /// Memberwise; see the properties.
  package init(
    adapter: AdapterDescription,
    tensors: [String: [Float]],
    languageFolder: String,
    visionFolder: String,
    encoder: EncoderDescription,
    padsPictures: Bool
  ) {
    self.adapter = adapter
    self.tensors = tensors
    self.languageFolder = languageFolder
    self.visionFolder = visionFolder
    self.encoder = encoder
    self.padsPictures = padsPictures
  }

  /// Writes `mm_projector.bin`, `mm_projector.safetensors` and `config.json` into an existing folder,
  /// each all or nothing.
  ///
  /// - Throws: `CheckpointError`.
  /// - Source: LLaVA `train.py`, `safe_save_model_for_hf_trainer`.
  package func write(to folder: String) throws(CheckpointError) {
    let files = try torchTensors()
    let config = Array(try config().serialized(pretty: true).utf8)
    try TorchWriter.write(files, to: "\(folder)/mm_projector.bin")
    do throws(FormatError) {
      var writer = try SafetensorsWriter(
        path: "\(folder)/mm_projector.safetensors",
        tensors: files.map { SafetensorsTensor($0.name, .float32, $0.shape) },
        metadata: [("format", "pt")]
      )
      for tensor in files { try writer.write(tensor.values, to: tensor.name) }
      try writer.finish()
      let file = try AtomicFile(path: "\(folder)/config.json")
      try file.write(config)
      try file.commit()
    } catch {
      throw .format(error)
    }
  }

  private func torchTensors() throws(CheckpointError) -> [TorchTensor] {
    var result: [TorchTensor] = []
    for layer in 0..<adapter.layers {
      let (rows, columns) = (adapter.widths[layer + 1], adapter.widths[layer])
      for (part, shape) in [("weight", [rows, columns]), ("bias", [rows])] {
        let name = "adapter.\(layer).\(part)"
        guard let values = tensors[name], values.count == shape.reduce(1, *) else {
          throw .missingTensors(path: "adapter", names: [name])
        }
        // A sequence numbers its activations too; a single layer is no sequence.
        let place = adapter.layers == 1 ? part : "\(2 * layer).\(part)"
        result.append(
          TorchTensor(name: "model.mm_projector.\(place)", shape: shape, values: values)
        )
      }
    }
    return result
  }

  /// The language model's configuration with LLaVA's keys.
  func config() throws(CheckpointError) -> JSONValue {
    let folder = try CheckpointFolder(path: languageFolder)
    guard var object = try folder.json("config.json")?.object else {
      throw .missing(path: languageFolder, advice: "no config.json here")
    }
    let type = object["model_type"]?.string ?? ""
    let names: [String: (architecture: String, type: String)] = [
      "llama": ("LlavaLlamaForCausalLM", "llava_llama"),
      "gemma": ("LlavaGemmaForCausalLM", "llava_gemma"),
      "phi3": ("LlavaPhiForCausalLM", "llava_phi3"),
    ]
    if let name = names[type] {
      object["architectures"] = .array([.string(name.architecture)])
      object["model_type"] = .string(name.type)
    }
    let hasClass = encoder.hasClassToken && !encoder.selection.dropsFirst
    let layer = encoder.selection.layer - encoder.blocks - 1
    let added: [(key: String, value: JSONValue)] = [
      ("_name_or_path", .string(languageFolder)),
      ("freeze_mm_mlp_adapter", false),
      ("image_aspect_ratio", .string(padsPictures ? "pad" : "square")),
      ("mm_hidden_size", .number(JSONNumber(adapter.inputWidth))),
      ("mm_patch_merge_type", "flat"),
      ("mm_projector_type", .string(adapter.name)),
      ("mm_use_im_patch_token", false),
      ("mm_use_im_start_end", false),
      ("mm_vision_select_feature", .string(hasClass ? "cls_patch" : "patch")),
      ("mm_vision_select_layer", .number(JSONNumber(layer))),
      ("mm_vision_tower", .string(visionFolder)),
      ("tokenizer_padding_side", "right"),
      ("tune_mm_mlp_adapter", true),
      ("use_mm_proj", true),
    ]
    for entry in added { object[entry.key] = entry.value }
    return .object(object)
  }
}
