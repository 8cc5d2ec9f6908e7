// SPDX-License-Identifier: Apache-2.0
// SHA-256 of files and texts, in hexadecimal.

internal import Crypto
package import SEATensor

/// Hashes that identify what a run reads and writes.
package enum Digest {
  private static let chunk = 8 << 20

  /// The hash of a file; its pages are given back.
  ///
  /// - Throws: `TrainerError.file`.
  package static func file(_ path: String) throws(TrainerError) -> String {
    do throws(FileError) {
      return of(try MappedFile(path: path))
    } catch {
      throw .file(error)
    }
  }

  /// The hash of a mapped file; its pages are given back.
  package static func of(_ file: MappedFile) -> String {
    var hash = SHA256()
    var start = 0
    while start < file.count {
      let range = start..<min(file.count, start + chunk)
      hash.update(data: file.bytes.slice(range).array())
      file.release(range)
      start = range.upperBound
    }
    return hexadecimal(hash)
  }

  /// The hash of bytes.
  package static func of(_ bytes: [UInt8]) -> String {
    var hash = SHA256()
    hash.update(data: bytes)
    return hexadecimal(hash)
  }

  /// The hash of a text.
  package static func of(_ text: String) -> String { of(Array(text.utf8)) }

  private static func hexadecimal(_ hash: SHA256) -> String {
    hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
