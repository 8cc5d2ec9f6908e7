// SPDX-License-Identifier: Apache-2.0
// Whose names an encoder's tensors have.

/// A way of naming the tensors of an encoder other than Hugging Face's.
enum EncoderDialect: Sendable, Equatable {
  /// OpenAI's CLIP, kept by open_clip for models of its own.
  case openAI
  /// timm, on which open_clip builds SigLIP.
  case timm
}

extension WeightSet {
  /// The dialect of an encoder's tensors; nil for Hugging Face's names and for anything else.
  var dialect: EncoderDialect? {
    for tensor in tensors {
      if tensor.name.hasSuffix("visual.conv1.weight") { return .openAI }
      if tensor.name.hasSuffix("patch_embed.proj.weight") { return .timm }
    }
    return nil
  }
}
