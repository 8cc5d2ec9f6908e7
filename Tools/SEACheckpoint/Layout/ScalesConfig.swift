// SPDX-License-Identifier: Apache-2.0
// The scales at which a multi-scale (S2) encoder sees a picture.

internal import SEAFormat

/// Reads the scales of LLaVA's S2 encoders.
///
/// - Source: reference.md B.3, D.1; LLaVA `clip_encoder.py`, whose defaults these are.
enum ScalesConfig {
  /// The sides that LLaVA uses where only `s2` is set.
  private static let standard = [336, 672, 1008]

  /// The scales, ascending; empty: the encoder sees a picture once.
  ///
  /// - Parameters:
  ///   - config: the configuration of the whole.
  ///   - tile: the side in pixels that the encoder itself takes.
  /// - Returns: sides in pixels, of which the smallest is `tile`.
  /// - Throws: `CheckpointError` naming file and key.
  static func scales(_ config: ConfigReader, tile: Int) throws(CheckpointError) -> [Int] {
    let key = "s2_scales"
    let isOn = try config.bool("s2", default: config.value(key) != nil)
    guard isOn else { return [] }
    let scales = try read(key, config)
    guard Set(scales).count == scales.count, (1...8).contains(scales.count),
      scales.first == tile, scales.allSatisfy({ $0.isMultiple(of: tile) })
    else {
      throw config.fault(
        key,
        "\(scales), expected up to 8 multiples of the encoder's side \(tile), starting with it",
      )
    }
    let split = try config.int("s2_max_split_size", default: tile, in: 1...8192)
    guard split == tile else {
      throw config.fault("s2_max_split_size", "\(split), expected the smallest scale \(tile)")
    }
    return scales
  }

  /// Sides as a text with commas or as a list, sorted.
  private static func read(
    _ key: String,
    _ config: ConfigReader,
  ) throws(CheckpointError) -> [Int] {
    guard let value = config.value(key) else { return standard }
    let parts: [Int?]
    if let items = value.array {
      parts = items.map(\.int)
    } else {
      let text = try config.string(key) ?? ""
      parts = text.split(separator: ",", omittingEmptySubsequences: false).map {
        Int($0.trimmed)
      }
    }
    let sides = parts.compactMap(\.self).filter { (1...8192).contains($0) }
    guard sides.count == parts.count, !sides.isEmpty else {
      throw config.fault(key, "expected sides from 1 to 8192 pixels, as \"336,672,1008\"")
    }
    return sides.sorted()
  }
}

extension Substring {
  /// Without spaces around it.
  fileprivate var trimmed: Substring {
    let start = drop { $0 == " " }
    return start.lastIndex { $0 != " " }.map { start[...$0] } ?? ""
  }
}
