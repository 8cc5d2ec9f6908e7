// SPDX-License-Identifier: Apache-2.0
// SHA-256 as text.

internal import Crypto

/// A running SHA-256.
package struct Digest {
  private var hash = SHA256()

  /// The hash of no bytes.
  package init() {}

  /// Adds bytes.
  package mutating func update(_ bytes: [UInt8]) { hash.update(data: bytes) }

  /// Adds bytes.
  package mutating func update(_ bytes: ArraySlice<UInt8>) { hash.update(data: Array(bytes)) }

  /// Adds the bytes of a text.
  package mutating func update(_ text: String) { hash.update(data: Array(text.utf8)) }

  /// The hash so far, 64 lower-case hexadecimal digits.
  package var hexadecimal: String {
    hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The hash of `bytes`.
  package static func of(_ bytes: [UInt8]) -> String {
    var digest = Digest()
    digest.update(bytes)
    return digest.hexadecimal
  }
}
