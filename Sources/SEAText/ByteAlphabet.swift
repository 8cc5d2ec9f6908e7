// SPDX-License-Identifier: Apache-2.0
// The 256 characters in which byte-level vocabularies write bytes.

/// Bytes as visible characters: printable Latin-1 stands for itself, the rest follows from U+0100.
/// - Source: GPT-2 `encoder.py`, `bytes_to_unicode`.
package enum ByteAlphabet {
  private static let scalars: [UInt32] = {
    var scalars: [UInt32] = []
    var other: UInt32 = 0x100
    for byte in UInt32(0)...255 {
      if (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || byte >= 0xae {
        scalars.append(byte)
      } else {
        scalars.append(other)
        other += 1
      }
    }
    return scalars
  }()

  /// Byte of each scalar below U+0144, or −1.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// Appends the character that stands for `byte`.
  package static func append(_ byte: UInt8, to text: inout [UInt8]) {
    ScalarReader.append(scalars[Int(byte)], to: &text)
  }

  /// The bytes that `text` stands for, or nil when it has a character outside the alphabet.
  package static func bytes(of text: Span<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let scalar = ScalarReader.read(text, at: index)
      guard scalar.value < UInt32(bytes.count), bytes[Int(scalar.value)] >= 0 else { return nil }
      result.append(UInt8(bytes[Int(scalar.value)]))
      index += scalar.length
    }
    return result
  }
}
