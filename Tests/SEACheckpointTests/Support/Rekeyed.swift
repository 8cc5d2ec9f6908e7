// SPDX-License-Identifier: Apache-2.0
// Tensors of one layout under the names of another; their values stay.

import Foundation
import SEACheckpoint
import SEAModel
import SEATensor
import Testing

/// Every canonical tensor of a checkpoint, as f32.
func canonical(_ source: SourceModel) throws -> [String: [Float]] {
  var values: [String: [Float]] = [:]
  for name in source.names {
    let part = try #require(source.part(name))
    let out = try MatrixView<Float>(rows: part.rows.count, columns: part.tensor.columns)
    try source.read(name, rows: 0..<part.rows.count, into: out)
    values[name] = out.array()
  }
  return values
}

/// Every canonical tensor of a generated checkpoint, as f32.
func canonical(_ checkpoint: TestCheckpoint) throws -> [String: [Float]] {
  try withExtendedLifetime(checkpoint) { try canonical(SourceModel(path: checkpoint.path)) }
}

/// Opens a generated checkpoint; the mappings outlive its files.
func open(_ checkpoint: TestCheckpoint) throws -> SourceModel {
  try withExtendedLifetime(checkpoint) { try SourceModel(path: checkpoint.path) }
}

/// Expects two checkpoints to hold the same values under the same canonical names.
func expectSame(
  _ left: [String: [Float]],
  _ right: [String: [Float]],
  location: SourceLocation = #_sourceLocation
) {
  #expect(left.keys.sorted() == right.keys.sorted(), sourceLocation: location)
  for (name, values) in left {
    #expect(right[name] == values, "\(name)", sourceLocation: location)
  }
}

extension [ListedTensor] {
  /// Replaces texts in all names, in order.
  mutating func rename(_ pairs: [(String, String)]) {
    for index in indices {
      for (old, new) in pairs {
        self[index].name = self[index].name.replacingOccurrences(of: old, with: new)
      }
    }
  }

  /// Takes the tensors whose names begin with `prefix` out of the list, without that prefix.
  mutating func extract(_ prefix: String) -> [ListedTensor] {
    var taken: [ListedTensor] = []
    for tensor in self where tensor.name.hasPrefix(prefix) {
      var tensor = tensor
      tensor.name = String(tensor.name.dropFirst(prefix.count))
      taken.append(tensor)
    }
    removeAll { $0.name.hasPrefix(prefix) }
    return taken
  }

  /// Stacks the rows of tensors into one tensor in the place of the first.
  mutating func stack(_ names: [String], as name: String) {
    let parts = names.compactMap { name in first { $0.name == name } }
    guard parts.count == names.count, let first = parts.first,
      let place = firstIndex(where: { $0.name == names[0] })
    else { return }
    var shape = first.shape
    shape[0] = parts.reduce(0) { $0 + $1.shape[0] }
    let values = parts.flatMap(\.values)
    self[place] = ListedTensor(name: name, type: first.type, shape: shape, given: values)
    removeAll { names.dropFirst().contains($0.name) }
  }
}

/// The ways other projects name things.
enum Rekeyed {
  /// A LLaVA checkpoint's names as TinyLLaVA Factory saves the whole.
  static func tinyLLaVA(_ tensors: inout [ListedTensor]) {
    tensors.rename([
      ("model.vision_tower.vision_tower.", "vision_tower._vision_tower."),
      ("model.mm_projector.", "connector._connector."), ("lm_head.", "language_model.lm_head."),
    ])
    for index in tensors.indices where tensors[index].name.hasPrefix("model.") {
      tensors[index].name = "language_model." + tensors[index].name
    }
  }

  /// Hugging Face's CLIP names as OpenAI wrote them.
  static func openAI(_ tensors: inout [ListedTensor], blocks: Int) {
    tensors.rename([
      ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
      ("vision_model.embeddings.patch_embedding", "visual.conv1"),
      ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
      ("vision_model.pre_layrnorm", "visual.ln_pre"),
      ("vision_model.post_layernorm", "visual.ln_post"),
      ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
      (".layer_norm", ".ln_"), (".mlp.fc1", ".mlp.c_fc"), (".mlp.fc2", ".mlp.c_proj"),
      (".self_attn.out_proj", ".attn.out_proj"), ("visual_projection.weight", "visual.proj"),
    ])
    for block in 0..<blocks {
      for part in ["weight", "bias"] {
        let prefix = "visual.transformer.resblocks.\(block)."
        tensors.stack(
          ["q", "k", "v"].map { "\(prefix)self_attn.\($0)_proj.\(part)" },
          as: "\(prefix)attn.in_proj_\(part)"
        )
      }
    }
  }

  /// Hugging Face's SigLIP names as timm writes them.
  static func timm(_ tensors: inout [ListedTensor], blocks: Int, prefix: String) {
    tensors.removeAll { $0.name.hasPrefix("vision_model.head.") }
    tensors.rename([
      ("vision_model.embeddings.patch_embedding", "\(prefix)patch_embed.proj"),
      ("vision_model.embeddings.position_embedding.weight", "\(prefix)pos_embed"),
      ("vision_model.post_layernorm", "\(prefix)norm"),
      ("vision_model.encoder.layers.", "\(prefix)blocks."), (".layer_norm", ".norm"),
      (".self_attn.out_proj", ".attn.proj"),
    ])
    for index in tensors.indices where tensors[index].name == prefix + "pos_embed" {
      tensors[index].shape.insert(1, at: 0)
    }
    for block in 0..<blocks {
      for part in ["weight", "bias"] {
        tensors.stack(
          ["q", "k", "v"].map { "\(prefix)blocks.\(block).self_attn.\($0)_proj.\(part)" },
          as: "\(prefix)blocks.\(block).attn.qkv.\(part)"
        )
      }
    }
    tensors.append(ListedTensor(name: prefix + "attn_pool.latent", type: "F32", shape: [1, 1, 8]))
  }
}
