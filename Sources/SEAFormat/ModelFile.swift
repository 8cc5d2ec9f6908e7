// SPDX-License-Identifier: Apache-2.0
// A model file, mapped: what it says about itself, and its tensors in place.

package import SEATensor

/// A mapped model file whose container has been checked.
///
/// Opening checks the header, the version and the manifest; whether the tensors fit the description
/// is the model's business, whether their bytes are intact is `verify`'s.
package struct ModelFile: Sendable {
  /// The version of the format that this build writes and reads.
  package static let formatVersion = 1
  /// What a file says it was made by.
  package static let toolVersion = "sea 0.1.0"

  /// The path as given.
  package let path: String
  /// The tool that made the file, as the file tells it.
  package let madeBy: String
  /// What the file says about itself.
  package let manifest: ModelManifest
  /// The tensors in the order of their bytes, with logical shapes and without padding.
  package let tensors: [SafetensorsInfo]

  let file: SafetensorsFile
  private var index = ByteIndex()

  /// Maps the file and checks everything that can be checked without reading tensors.
  ///
  /// - Throws: `FormatError` naming the file, and the metadata key or tensor.
  package init(path: String) throws(FormatError) {
    let file = try SafetensorsFile(path: path, limits: .model)
    try Self.checkVersion(file)
    madeBy = file.metadata(ModelManifest.Key.madeBy) ?? "an unknown tool"
    manifest = ModelManifest(
      description: try Self.object(ModelManifest.Key.description, in: file),
      quantization: try Self.object(ModelManifest.Key.quantization, in: file),
      provenance: try Self.object(ModelManifest.Key.provenance, in: file),
    )
    tensors = try Self.logicalTensors(file)
    for (position, tensor) in tensors.enumerated() {
      index.insert(tensor.name, at: position) { [tensors] in tensors[$0].name }
    }
    self.path = path
    self.file = file
  }

  /// The description of the model.
  package var descriptionJSON: JSONValue {
    manifest.description
  }

  /// The names in the order of the bytes.
  package var tensorNames: [String] {
    tensors.map(\.name)
  }

  /// The mapping; releasing pages of it is allowed at any time.
  package var mapping: MappedFile {
    file.mapping
  }

  /// The metadata as stored, in the order written.
  package var metadata: [(key: String, value: String)] {
    file.metadata
  }

  /// The tensor whose name has the bytes of `name`, or nil.
  package func info(_ name: String) -> SafetensorsInfo? {
    index.find(name) { tensors[$0].name }.map { tensors[$0] }
  }

  /// The tensor named `name` and its bytes, in place and without padding.
  ///
  /// - Throws: `FormatError.missingTensor`.
  package func tensor(
    _ name: String
  ) throws(FormatError) -> (info: SafetensorsInfo, bytes: ByteView) {
    guard let info = info(name) else { throw .missingTensor(path: path, name: name) }
    return (info, bytes(of: info))
  }

  /// The bytes of a tensor of this file, in place and without padding.
  package func bytes(of tensor: SafetensorsInfo) -> ByteView {
    mapping.bytes.slice(tensor.range)
  }
}
