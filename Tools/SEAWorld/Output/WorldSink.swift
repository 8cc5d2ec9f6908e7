// SPDX-License-Identifier: Apache-2.0
// A text file of a world as it is written: atomic, and hashed on the way.

internal import Crypto
internal import SEAFormat
internal import SEATensor

/// One output file.
final class WorldSink {
  /// How records follow each other.
  enum Form {
    /// One JSON value a line.
    case lines
    /// One JSON array, a value a line.
    case array
  }

  private let form: Form
  private let file: AtomicFile
  private var hash = SHA256()
  private var isFirst = true

  /// - Throws: `WorldError.format`.
  init(path: String, form: Form) throws(WorldError) {
    self.form = form
    do throws(FormatError) { file = try AtomicFile(path: path) } catch { throw .format(error) }
  }

  /// Appends a record.
  ///
  /// - Throws: `WorldError.format`.
  func add(_ record: String) throws(WorldError) {
    switch form {
    case .lines: try write(record + "\n")
    case .array: try write((isFirst ? "[\n" : ",\n") + record)
    }
    isFirst = false
  }

  /// Gives the file its name.
  ///
  /// - Returns: the SHA-256 in hexadecimal.
  /// - Throws: `WorldError.format`.
  func commit() throws(WorldError) -> String {
    if form == .array { try write(isFirst ? "[]\n" : "\n]\n") }
    do throws(FormatError) { try file.commit() } catch { throw .format(error) }
    return Self.hexadecimal(Array(hash.finalize()))
  }

  private func write(_ text: String) throws(WorldError) {
    let bytes = Array(text.utf8)
    hash.update(data: bytes)
    do throws(FormatError) { try file.write(bytes) } catch { throw .format(error) }
  }

  /// A digest as people write it.
  static func hexadecimal(_ digest: [UInt8]) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
