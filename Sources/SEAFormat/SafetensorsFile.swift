// SPDX-License-Identifier: Apache-2.0
// A safetensors file, mapped: tensors by name, bytes in place.

package import SEATensor

/// A mapped safetensors file whose header has been checked.
///
/// Nothing is read beyond the header until bytes are asked for. Data need no particular alignment:
/// only files of our own promise one.
package struct SafetensorsFile: Sendable {
  /// The path as given.
  package let path: String
  /// The mapping; releasing pages of it is allowed at any time.
  package let mapping: MappedFile
  /// What the header says.
  package let header: SafetensorsHeader
  private var index = ByteIndex()

  /// Maps the file and checks its header.
  ///
  /// - Throws: `FormatError` naming the file and the broken rule.
  package init(
    path: String,
    limits: SafetensorsLimits = .foreign,
  ) throws(FormatError) {
    let mapping: MappedFile
    do throws(FileError) {
      mapping = try MappedFile(path: path)
    } catch {
      throw .file(error)
    }
    header = try mapping.bytes.withSpan { (bytes) throws(FormatError) in
      try SafetensorsHeader(
        bytes,
        fileSize: bytes.count,
        path: path,
        limits: limits,
        progress: { mapping.release(0..<$0) }
      )
    }
    self.path = path
    self.mapping = mapping
    for (position, tensor) in header.tensors.enumerated() {
      index.insert(tensor.name, at: position) { header.tensors[$0].name }
    }
  }

  /// The tensors in the order of their bytes.
  package var tensors: [SafetensorsInfo] {
    header.tensors
  }

  /// The names in the order of the bytes.
  package var tensorNames: [String] {
    header.tensors.map(\.name)
  }

  /// The metadata in the order written.
  package var metadata: [(key: String, value: String)] {
    header.metadata.map { ($0.key, $0.value) }
  }

  /// The metadata text under the bytes of `key`, or nil.
  package func metadata(_ key: String) -> String? {
    header.metadata.first { $0.key.hasSameBytes(as: key) }?.value
  }

  /// The tensor whose name has the bytes of `name`, or nil.
  package func info(_ name: String) -> SafetensorsInfo? {
    index.find(name) { header.tensors[$0].name }.map { header.tensors[$0] }
  }

  /// The tensor whose name has the bytes of `name`.
  ///
  /// - Throws: `FormatError.missingTensor`.
  package func tensor(_ name: String) throws(FormatError) -> SafetensorsInfo {
    guard let info = info(name) else { throw .missingTensor(path: path, name: name) }
    return info
  }

  /// The bytes of a tensor of this file, in place.
  package func bytes(of tensor: SafetensorsInfo) -> ByteView {
    mapping.bytes.slice(tensor.range)
  }

  /// The bytes of the tensor named `name`, in place.
  ///
  /// - Throws: `FormatError.missingTensor`.
  package func bytes(of name: String) throws(FormatError) -> ByteView {
    bytes(of: try tensor(name))
  }
}
