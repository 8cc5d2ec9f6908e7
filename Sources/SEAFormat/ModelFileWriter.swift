// SPDX-License-Identifier: Apache-2.0
// Writes a model file: padded tensors, a checksum for each, the description in front.

package import SEATensor

/// A model file being written.
///
/// Tensors are declared with their logical shapes. One whose bytes are no multiple of 64 is stored
/// as a flat tensor padded with zeros, so that every tensor starts 64-aligned and none is followed
/// by a hole; its shape goes into the metadata. Checksums are taken as the bytes pass, and take the
/// place of blanks in the header before the file gets its name.
package struct ModelFileWriter: ~Copyable {
  private let path: String
  private var manifest: ModelManifest
  private let logical: [SafetensorsInfo]
  private let shapes: JSONObject
  private var writer: SafetensorsWriter
  private var checksums: [CRC32C]
  private var current = 0
  private var filled = 0

  /// Declares the file.
  ///
  /// - Parameters:
  ///   - path: where the file appears when it is finished.
  ///   - manifest: what the file says about itself.
  ///   - tensors: all tensors with logical shapes, in the order of their bytes.
  ///   - reserve: bytes kept free for a longer manifest at the end.
  /// - Throws: `FormatError`, as for `SafetensorsWriter`.
  package init(
    path: String,
    manifest: ModelManifest,
    tensors: [SafetensorsTensor],
    reserve: Int = 0,
  ) throws(FormatError) {
    var stored: [SafetensorsTensor] = []
    var shapes = JSONObject()
    for tensor in tensors {
      guard let bytes = SafetensorsInfo.byteCount(tensor.type, tensor.shape),
        bytes < Int.max - SafetensorsLayout.alignment
      else {
        throw .tensor(
          path: path,
          name: tensor.name,
          rule: "the size of shape \(tensor.shape) overflows"
        )
      }
      let padded = SafetensorsLayout.aligned(bytes)
      if padded == bytes {
        stored.append(tensor)
      } else {
        stored.append(.init(tensor.name, tensor.type, [padded / tensor.type.size]))
        shapes[tensor.name] = .array(tensor.shape.map { .number(JSONNumber($0)) })
      }
    }
    let blanks = Self.object(stored.map(\.name)) { _ in ModelManifest.blankChecksum }
    writer = try SafetensorsWriter(
      path: path,
      tensors: stored,
      metadata: manifest.metadata(shapes: shapes, checksums: blanks),
      reserve: reserve,
      limits: .model,
    )
    logical = zip(tensors, writer.tensors).map { declared, placed in
      let bytes = SafetensorsInfo.byteCount(declared.type, declared.shape) ?? 0
      let start = placed.range.lowerBound
      return SafetensorsInfo(
        name: declared.name,
        type: declared.type,
        shape: declared.shape,
        range: start..<start + bytes
      )
    }
    checksums = Array(repeating: CRC32C(), count: tensors.count)
    self.path = path
    self.manifest = manifest
    self.shapes = shapes
  }

  /// The bytes of the whole file.
  package var fileSize: Int {
    writer.fileSize
  }

  /// Appends bytes of the tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError` when another tensor is due, when the bytes are more than the tensor
  ///   has left, or when the disk fails.
  package mutating func write(_ bytes: RawSpan, to name: String) throws(FormatError) {
    try padComplete(before: name)
    guard current < logical.count else {
      throw .tensor(path: path, name: name, rule: "written after the last tensor")
    }
    let tensor = logical[current]
    guard tensor.name.hasSameBytes(as: name) else {
      throw .tensor(
        path: path,
        name: name,
        rule: "written out of order, '\(tensor.name.printable())' has \(filled) of "
          + "\(tensor.byteCount) bytes"
      )
    }
    guard bytes.byteCount <= tensor.byteCount - filled else {
      throw .tensor(
        path: path,
        name: name,
        rule: "\(bytes.byteCount) more bytes after \(filled) of \(tensor.byteCount)"
      )
    }
    try store(bytes)
    filled += bytes.byteCount
  }

  /// Appends bytes of the tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError`, as for raw bytes.
  package mutating func write(_ bytes: [UInt8], to name: String) throws(FormatError) {
    try unsafe write(bytes.span.bytes, to: name)
  }

  /// Appends values of the F32 tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError`, as for raw bytes.
  package mutating func write(_ values: [Float], to name: String) throws(FormatError) {
    try unsafe write(values.span.bytes, to: name)
  }

  /// Appends bytes of the tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError`, as for raw bytes.
  package mutating func write(_ bytes: Span<UInt8>, to name: String) throws(FormatError) {
    try unsafe write(bytes.bytes, to: name)
  }

  /// Appends values of the F32 tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError`, as for raw bytes.
  package mutating func write(_ values: Span<Float>, to name: String) throws(FormatError) {
    try unsafe write(values.bytes, to: name)
  }

  /// Appends bytes of the tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError`, as for raw bytes.
  package mutating func write(_ bytes: ByteView, to name: String) throws(FormatError) {
    try bytes.withSpan { (span) throws(FormatError) in try write(span, to: name) }
  }

  /// Completes the file and gives it its name.
  ///
  /// - Parameter provenance: what to store in place of the provenance declared, if anything; it may
  ///   be longer by the bytes that were reserved.
  /// - Throws: `FormatError` when a tensor lacks bytes, the manifest outgrew its room, or the disk
  ///   fails.
  package consuming func finish(provenance: JSONValue? = nil) throws(FormatError) {
    try padComplete(before: nil)
    guard current == logical.count else {
      let tensor = logical[current]
      throw .tensor(
        path: path,
        name: tensor.name,
        rule: "only \(filled) of \(tensor.byteCount) bytes were written"
      )
    }
    if let provenance { manifest.provenance = provenance }
    let digits = Self.object(logical.map(\.name)) { [checksums] in checksums[$0].digits }
    var metadata = manifest.metadata(shapes: shapes, checksums: digits)
    // The checksum of the header covers everything but itself, which counts as the blank.
    let blank = try writer.header(metadata: metadata)
    metadata[metadata.count - 1].value = CRC32C.digits(CRC32C.checksum(blank))
    try writer.finish(header: try writer.header(metadata: metadata))
  }

  private mutating func store(_ bytes: RawSpan) throws(FormatError) {
    try writer.write(bytes, to: logical[current].name)
    checksums[current].update(bytes)
  }

  /// Pads and leaves tensors that are full, up to the one named; nil leaves all of them.
  private mutating func padComplete(before name: String?) throws(FormatError) {
    while current < logical.count {
      let tensor = logical[current]
      guard filled == tensor.byteCount else { return }
      if let name, tensor.name.hasSameBytes(as: name) { return }
      let padding = SafetensorsLayout.aligned(filled) - filled
      if padding > 0 { try unsafe store([UInt8](repeating: 0, count: padding).span.bytes) }
      current += 1
      filled = 0
    }
  }

  private static func object(_ names: [String], _ text: (Int) -> String) -> JSONObject {
    var object = JSONObject()
    for (position, name) in names.enumerated() { object.append(name, .string(text(position))) }
    return object
  }
}
