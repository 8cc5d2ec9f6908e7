// SPDX-License-Identifier: Apache-2.0
// SHA-256 of files and texts, in hexadecimal.

internal import Crypto
package import SEATensor

/// A running SHA-256: hashes that identify what labels and runs read and write.
package struct Digest {
  private static let chunk = 8 << 20
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

  /// The hash of a text.
  package static func of(_ text: String) -> String { of(Array(text.utf8)) }

  /// The hash of a mapped file; its pages are given back.
  package static func of(_ file: MappedFile) -> String {
    var digest = Digest()
    var start = 0
    while start < file.count {
      let range = start..<min(file.count, start + chunk)
      digest.update(file.bytes.slice(range).array())
      file.release(range)
      start = range.upperBound
    }
    return digest.hexadecimal
  }

  /// The hash of a file; its pages are given back.
  ///
  /// - Throws: `FileError`.
  package static func file(_ path: String) throws(FileError) -> String {
    of(try MappedFile(path: path))
  }
}
