// SPDX-License-Identifier: Apache-2.0
// The text tower and the joint space of a whole CLIP or SigLIP checkpoint.

internal import SEAModel
internal import SEATensor

extension SourceOpener {
  /// Describes text tower and joint space where the folder has them and the caller wants them.
  ///
  /// - Parameters:
  ///   - folder: the encoder's folder.
  ///   - encoder: its encoder; gets the way to the joint space.
  /// - Returns: parts to take from the folder's weights.
  /// - Throws: `CheckpointError` naming file and key.
  mutating func readJointSpace(
    _ folder: CheckpointFolder,
    _ encoder: inout EncoderConfig,
  ) throws(CheckpointError) -> Set<ModelPart> {
    guard options.takesTextTower, let config = try config("config.json", in: folder),
      ["clip", "siglip"].contains(try config.string("model_type") ?? "")
    else { return [.vision] }
    let set = try weights(of: folder)
    func has(_ name: String) -> Bool { set.tensors.contains { $0.name == name } }
    guard has("text_model.embeddings.token_embedding.weight") else { return [.vision] }
    switch encoder.family {
    case .clip:
      guard has("visual_projection.weight") else { return [.vision] }
      encoder.lead(toProjection: try TextTowerConfig.projection(config))
    case .siglip:
      guard has("vision_model.head.probe") else { return [.vision] }
      encoder.leadToPoolingHead()
    }
    model.textTower = try TextTowerConfig.description(config, family: encoder.family)
    configs[.text] = try config.object("text_config") ?? config
    if !TokenizerFiles.vocabularies(in: folder.path).isEmpty { languageFolder = folder }
    collector.note("text tower: taken, with the way of pictures to the same space")
    return [.vision, .text]
  }
}
