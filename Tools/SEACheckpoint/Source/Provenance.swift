// SPDX-License-Identifier: Apache-2.0
// Where a model came from: the SHA-256 of every file it was made of.

internal import Crypto
package import SEAFormat
package import SEATensor

extension SourceModel {
  /// Bytes hashed at a time; their pages are given back at once.
  private static let hashChunk = 8 << 20

  /// Every file that the model is made of, the tokenizer's files included.
  package var inputPaths: [String] {
    let tokenizer = tokenizerFolder.map(TokenizerFiles.paths) ?? []
    return openedPaths.filter { !CheckpointFolder.isFolder($0) }
      + tokenizer.filter { !openedPaths.contains($0) }
  }

  /// The layout and every input file with its size and SHA-256.
  ///
  /// Files are named by the last two parts of their paths, so that the same inputs give the same text
  /// wherever they lie. Reads every file once.
  ///
  /// - Throws: `CheckpointError.file` when a file has gone.
  package func provenance() throws(CheckpointError) -> JSONValue {
    var inputs: [JSONValue] = []
    for path in inputPaths {
      let file: MappedFile
      do { file = try MappedFile(path: path) } catch { throw .file(error) }
      let name = path.split(separator: "/").suffix(2).joined(separator: "/")
      inputs.append([
        "file": .string(name),
        "bytes": .number(JSONNumber(file.count)),
        "sha256": .string(Self.digest(of: file)),
      ])
    }
    return ["layout": .string(layout.rawValue), "inputs": .array(inputs)]
  }

  /// The SHA-256 of a file in hexadecimal.
  package static func digest(of file: MappedFile) -> String {
    var hash = SHA256()
    var start = 0
    while start < file.count {
      let chunk = start..<min(file.count, start + hashChunk)
      hash.update(data: file.bytes.slice(chunk).array())
      file.release(chunk)
      start = chunk.upperBound
    }
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
