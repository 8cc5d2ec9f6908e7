// SPDX-License-Identifier: Apache-2.0
// Bounds-checked integers out of a file's bytes.

/// Reads integers at any offset; nil where the bytes do not reach.
struct ByteReader {
  let bytes: [UInt8]

  var count: Int { bytes.count }

  func byte(_ offset: Int) -> Int? {
    offset >= 0 && offset < bytes.count ? Int(bytes[offset]) : nil
  }

  func bigEndian16(_ offset: Int) -> Int? {
    guard let high = byte(offset), let low = byte(offset + 1) else { return nil }
    return high << 8 | low
  }

  func bigEndian32(_ offset: Int) -> Int? {
    guard let high = bigEndian16(offset), let low = bigEndian16(offset + 2) else { return nil }
    return high << 16 | low
  }

  /// The integer in `size` bytes, least significant first; `size` is at most 4.
  func littleEndian(_ offset: Int, size: Int) -> Int? {
    var value = 0
    for index in (0..<size).reversed() {
      guard let byte = byte(offset + index) else { return nil }
      value = value << 8 | byte
    }
    return value
  }

  /// True when the bytes at `offset` are those of `text`.
  func matches(_ text: StaticString, at offset: Int) -> Bool {
    let end = offset + text.utf8CodeUnitCount
    return offset >= 0 && end <= bytes.count && bytes[offset..<end].elementsEqual("\(text)".utf8)
  }
}
