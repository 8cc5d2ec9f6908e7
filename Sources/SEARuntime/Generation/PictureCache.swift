// SPDX-License-Identifier: Apache-2.0
// Pictures that a conversation has seen, so that each is encoded once.

import SEAImage
import SEAModel
import SEATensor

/// Visual tokens by the values that the encoder was given, in a bounded number of bytes.
///
/// A picture is known when every value of its normalised pixels and the size it was cut from are the
/// same, bit for bit: whatever differs in the recipe's result is another picture, and what does not
/// gives the same tokens. There are few pictures and two of them part after a few values, so they
/// are compared in full and no digest stands between.
struct PictureCache {
  /// Bytes that may be kept.
  let capacity: Int
  /// Bytes that are kept.
  private(set) var byteCount = 0

  /// The one used last stands last.
  private var entries: [Entry] = []

  private struct Entry {
    let pixels: [Float]
    let size: ImageSize?
    let tokens: VisualTokens

    var byteCount: Int {
      (pixels.count + tokens.rows.rows * tokens.rows.columns) * MemoryLayout<Float>.size
    }

    func matches(_ other: [Float], _ otherSize: ImageSize?) -> Bool {
      size == otherSize && pixels.count == other.count
        && zip(pixels, other).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
  }

  init(capacity: Int) {
    self.capacity = capacity
  }

  /// Bytes that one picture of a model takes at most; 0 where pictures make no tokens.
  static func byteCount(_ description: ModelDescription) -> Int {
    guard let encoder = description.encoder, let adapter = description.adapter else { return 0 }
    let pixels = 3 * encoder.inputSide * encoder.inputSide
    let values = pixels + description.visualTokens() * adapter.outputWidth
    return values * MemoryLayout<Float>.size
  }

  /// The tokens of a known picture.
  mutating func find(_ pixels: [Float], of size: ImageSize?) -> VisualTokens? {
    guard let place = entries.lastIndex(where: { $0.matches(pixels, size) }) else { return nil }
    let entry = entries.remove(at: place)
    entries.append(entry)
    return entry.tokens
  }

  /// Keeps a picture that is not known; the ones unused for longest make room.
  mutating func insert(_ tokens: VisualTokens, for pixels: [Float], of size: ImageSize?) {
    let entry = Entry(pixels: pixels, size: size, tokens: tokens)
    guard entry.byteCount <= capacity else { return }
    while byteCount + entry.byteCount > capacity {
      byteCount -= entries.removeFirst().byteCount
    }
    entries.append(entry)
    byteCount += entry.byteCount
  }

  /// Forgets all pictures.
  mutating func removeAll() {
    entries = []
    byteCount = 0
  }
}
