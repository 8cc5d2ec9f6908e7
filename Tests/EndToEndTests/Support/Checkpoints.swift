// SPDX-License-Identifier: Apache-2.0
// Checkpoint folders put together from the fixtures of other targets.

import Foundation
import TestSupport

/// Small random checkpoints whose reference numbers are known.
enum Checkpoints {
  /// A whole model in the layout of Hugging Face.
  static let gemma = Fixtures.path("SEARuntimeTests", "sea-gemma-tiny")

  /// What the reference computes with a checkpoint.
  static func reference(_ name: String) throws -> TensorFile {
    try TensorFile(path: Fixtures.path("SEARuntimeTests", "\(name)/reference.safetensors"))
  }

  /// A language model with its tokenizer, copied.
  static func llama(in folder: Folder, _ name: String = "llama") throws -> String {
    try folder.copy(
      ["config.json", "model.safetensors"].map {
        Fixtures.path("SEARuntimeTests", "llama-tiny/\($0)")
      }
        + ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
        .map { Fixtures.path("SEATextTests", "llama-tiny/\($0)") },
      into: name
    )
  }

  /// The weights of `gemma` in LLaVA's original layout: everything in one file under other names.
  static func llava(in folder: Folder) throws -> String {
    let layout = Fixtures.path("SEACheckpointTests", "checkpoints/mllm/sea-gemma-tiny/llava")
    let tower = "\(layout)/vision_tower"
    let path = try folder.copy(
      ["config.json", "generation_config.json"].map { "\(layout)/\($0)" }
        + ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
        .map { "\(gemma)/\($0)" },
      into: "llava"
    )
    _ = try folder.copy(
      ["config.json", "preprocessor_config.json"].map { "\(tower)/\($0)" },
      into: "llava/vision_tower"
    )
    var file = try TensorFile(path: "\(gemma)/model.safetensors")
    let names = [
      ("language_model.model.", "model."),
      ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
      ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
      ("vision_tower.", "model.vision_tower.vision_tower."),
    ]
    for index in file.tensors.indices {
      let name = file.tensors[index].name
      guard let (from, to) = names.first(where: { name.hasPrefix($0.0) }) else { continue }
      file.tensors[index].name = to + name.dropFirst(from.count)
    }
    // The rows that the other layout adds for its image token.
    if var table = file["model.embed_tokens.weight"] {
      table.bytes.removeLast(table.bytes.count / table.shape[0] * (table.shape[0] - 1024))
      table.shape[0] = 1024
      file["model.embed_tokens.weight"] = table
    }
    try folder.write("llava/model.safetensors", file.bytes)
    return path
  }
}

/// Model files that several tests read, made once.
enum Models {
  private static let folder = try? Folder()

  /// The whole model, f32, with the scale that its training code uses.
  static let gemma = made("gemma.sea") { _ in
    [Checkpoints.gemma, "--weights", "f32", "--visual-scale", "sqrt", "--template", "gemma_it"]
  }

  /// The language model, f32.
  static let llama = made("llama.sea") { [try Checkpoints.llama(in: $0), "--weights", "f32"] }

  /// The whole model in int8.
  static let int8 = made("int8.sea") { _ in [Checkpoints.gemma, "--visual-scale", "sqrt"] }

  /// Both f32 files.
  static let all = [gemma, llama]

  private static func made(_ name: String, _ source: (Folder) throws -> [String]) -> String {
    guard let folder else { return name }
    atexit { Models.remove() }
    let arguments = (try? source(folder)) ?? []
    _ = try? Command(
      arguments: ["convert"] + arguments + ["-o", folder / name, "--no-verify", "--quiet"]
    ).run()
    return folder / name
  }

  private static func remove() {
    if let folder { try? FileManager.default.removeItem(atPath: folder.path) }
  }
}
