// SPDX-License-Identifier: Apache-2.0
// The map from tensors to the files of a sharded checkpoint.

internal import SEAFormat

/// A `*.index.json`: which file holds which tensor.
///
/// - Source: reference.md D.6.
struct ShardIndex {
  let path: String
  /// File names in the order in which the index first mentions them.
  let files: [String]
  /// Tensor names with the position of their file in `files`.
  let tensors: [String: Int]
  /// Bytes of all tensors, as far as the index says.
  let totalBytes: Int?

  /// Reads an index.
  ///
  /// - Throws: `CheckpointError` when a file name is not a plain name in the same folder.
  init(_ json: JSONValue, path: String) throws(CheckpointError) {
    guard let map = json["weight_map"]?.object, !map.isEmpty else {
      throw .badField(path: path, field: "weight_map", problem: "expected an object of file names")
    }
    var files: [String] = []
    var positions: [[UInt8]: Int] = [:]
    var tensors: [String: Int] = [:]
    for (tensor, value) in map.entries {
      let field = "weight_map.\(tensor.printable())"
      guard let file = value.string else {
        throw .badField(path: path, field: field, problem: "\(value.kind), expected a file name")
      }
      guard Self.isPlain(file) else {
        throw .badField(
          path: path,
          field: field,
          problem: "\"\(file.printable())\" is not a plain name of a file in this folder",
        )
      }
      guard TensorName.isPlain(tensor) else {
        throw .badField(path: path, field: field, problem: "the tensor's name is not plain")
      }
      let key = Array(file.utf8)
      let position = positions[key] ?? files.count
      if position == files.count {
        files.append(file)
        positions[key] = position
      }
      tensors[tensor] = position
    }
    self.path = path
    self.files = files
    self.tensors = tensors
    totalBytes = json["metadata"]?["total_size"]?.int
  }

  /// True for names that stay in the folder: no separators, no parent, nothing hidden.
  private static func isPlain(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return !bytes.isEmpty && bytes.count <= 255 && bytes[0] != UInt8(ascii: ".")
      && !bytes.contains { $0 < 0x20 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
  }
}
