// SPDX-License-Identifier: Apache-2.0
// The ways a JSON text can be wrong, each with the byte offset where it shows.

/// Why a JSON text was refused.
package enum JSONError: Error, Equatable, Sendable {
  /// A byte (nil: the end of the text) that does not fit the grammar.
  case unexpected(offset: Int, found: UInt8?, expected: String)
  case byteOrderMark
  case invalidUTF8(offset: Int)
  case controlCharacter(offset: Int, byte: UInt8)
  /// Half of a surrogate pair, which is no character.
  case loneSurrogate(offset: Int)
  case duplicateKey(offset: Int, key: String)
  case tooDeep(offset: Int, limit: Int)
  case stringTooLong(offset: Int, limit: Int)
  case textTooLong(bytes: Int, limit: Int)

  /// The byte offset of the offence from the start of the text.
  package var offset: Int {
    switch self {
    case .unexpected(let offset, _, _), .invalidUTF8(let offset), .controlCharacter(let offset, _),
      .loneSurrogate(let offset), .duplicateKey(let offset, _), .tooDeep(let offset, _),
      .stringTooLong(let offset, _):
      offset
    case .byteOrderMark: 0
    case .textTooLong(_, let limit): limit
    }
  }
}

extension JSONError: CustomStringConvertible {
  /// What is wrong and at which byte.
  package var description: String {
    switch self {
    case .unexpected(let offset, let found, let expected):
      "byte \(offset): expected \(expected), found \(Self.describe(found))"
    case .byteOrderMark:
      "byte 0: the text starts with a byte order mark; save it as UTF-8 without one"
    case .invalidUTF8(let offset):
      "byte \(offset): not valid UTF-8"
    case .controlCharacter(let offset, let byte):
      "byte \(offset): control character \(Self.describe(byte)) must be escaped inside a string"
    case .loneSurrogate(let offset):
      "byte \(offset): half of a surrogate pair is no character"
    case .duplicateKey(let offset, let key):
      "byte \(offset): key '\(key.printable())' appears twice"
    case .tooDeep(let offset, let limit):
      "byte \(offset): nested deeper than \(limit) levels"
    case .stringTooLong(let offset, let limit):
      "byte \(offset): string longer than \(limit) bytes"
    case .textTooLong(let bytes, let limit):
      "the text has \(bytes) bytes, more than the \(limit) accepted"
    }
  }

  private static func describe(_ byte: UInt8?) -> String {
    guard let byte else { return "the end" }
    if (0x21...0x7e).contains(byte) { return "'\(Character(UnicodeScalar(byte)))'" }
    let digits = String(byte, radix: 16)
    return "0x" + (digits.count < 2 ? "0" : "") + digits
  }
}
