// SPDX-License-Identifier: Apache-2.0
// The adapter: its type by configuration, its widths by its tensors.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

/// Reads what an adapter is.
///
/// - Source: reference.md C.1.
enum AdapterConfig {
  /// Layers of the adapter's type; `linear` when the key is absent.
  ///
  /// - Parameters:
  ///   - config: the configuration.
  ///   - key: the project's name for the type.
  /// - Returns: the number of linear layers.
  /// - Throws: `CheckpointError.unsupported` for other types.
  static func layers(_ config: ConfigReader, key: String) throws(CheckpointError) -> Int {
    let type = try config.string(key) ?? "linear"
    if type == "linear" { return 1 }
    if let rest = type.dropping("mlp"), rest.hasSuffix("x_gelu"),
      let layers = Int(rest.dropLast(6)), (1...16).contains(layers)
    {
      return layers
    }
    throw .unsupported(
      path: config.path,
      what: "\(key) \"\(type.printable())\"; linear and mlpNx_gelu are",
    )
  }

  /// The activation of the Hugging Face layout's two layers.
  ///
  /// - Throws: `CheckpointError` for adapters without bias and unknown activations.
  static func huggingFaceActivation(_ config: ConfigReader) throws(CheckpointError) -> Activation {
    guard try config.bool("multimodal_projector_bias", default: true) else {
      throw .unsupported(path: config.path, what: "multimodal_projector_bias false")
    }
    let name = try config.string("projector_hidden_act") ?? "gelu"
    switch name {
    case "gelu": return .geluErf
    case "gelu_pytorch_tanh": return .geluTanh
    default:
      throw .unsupported(
        path: config.path,
        what: "projector_hidden_act \"\(name.printable())\"",
      )
    }
  }

  /// The adapter whose layers have been collected.
  ///
  /// - Parameters:
  ///   - collector: collected tensors; those of no layer are dropped as unknown.
  ///   - layers: what the configuration asks for; nil: as many as there are.
  ///   - activation: between layers.
  ///   - hasNewline: a learned row belongs to the adapter.
  ///   - path: the checkpoint, for messages.
  /// - Returns: the adapter.
  /// - Throws: `CheckpointError.missingTensors` naming the layers that are not complete.
  static func description(
    _ collector: inout TensorCollector,
    layers: Int?,
    activation: Activation,
    hasNewline: Bool = false,
    path: String,
  ) throws(CheckpointError) -> AdapterDescription {
    let parts = collector.parts
    let count = layers ?? (0...).first { parts["adapter.\($0).weight"] == nil } ?? 0
    var needed = (0..<max(count, 1)).flatMap { ["adapter.\($0).weight", "adapter.\($0).bias"] }
    if hasNewline { needed.append("adapter.newline") }
    let missing = needed.filter { parts[$0] == nil }
    guard missing.isEmpty else { throw .missingTensors(path: path, names: missing) }
    for name in parts.keys.sorted() where name.hasPrefix("adapter.") && !needed.contains(name) {
      collector.dropUnknown(name)
    }
    var widths: [Int] = []
    for layer in 0..<count {
      guard let tensor = parts["adapter.\(layer).weight"]?.tensor else { continue }
      let shape = tensor.shape
      guard shape.count == 2, shape.allSatisfy({ (1...65_536).contains($0) }) else {
        throw .badTensor(
          path: tensor.path,
          tensor: tensor.name,
          problem: "shape \(shape) is no linear layer's",
        )
      }
      if let width = widths.last, width != shape[1] {
        throw .badTensor(
          path: tensor.path,
          tensor: tensor.name,
          problem: "takes \(shape[1]) inputs, the layer before gives \(width)",
        )
      }
      if widths.isEmpty { widths.append(shape[1]) }
      widths.append(shape[0])
    }
    return AdapterDescription(widths: widths, activation: activation, hasNewline: hasNewline)
  }
}
