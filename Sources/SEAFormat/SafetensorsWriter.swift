// SPDX-License-Identifier: Apache-2.0
// Writes a safetensors file as a stream: declared first, filled in order, visible when complete.

package import SEATensor

/// A safetensors file being written.
///
/// All tensors are declared at the start; their bytes follow in that order, in pieces of any size.
/// Memory stays at one chunk, whatever the size of the file. Dropping the writer before `finish`
/// leaves no trace.
package struct SafetensorsWriter: ~Copyable {
  private let layout: SafetensorsLayout
  private let metadata: [(key: String, value: String)]
  private let file: AtomicFile
  /// The tensor being filled, and how many of its bytes are there.
  private var current = 0
  private var filled = 0

  /// Declares the file.
  ///
  /// - Parameters:
  ///   - path: where the file appears when it is finished.
  ///   - tensors: all tensors, in the order of their bytes.
  ///   - metadata: texts by distinct keys.
  ///   - reserve: bytes kept free in the header for longer metadata at the end.
  ///   - limits: what a reader of the file accepts.
  /// - Throws: `FormatError` when the declaration breaks a rule of the format, the output is
  ///   refused, or the disk has less room than the file takes.
  package init(
    path: String,
    tensors: [SafetensorsTensor],
    metadata: [(key: String, value: String)] = [],
    reserve: Int = 0,
    limits: SafetensorsLimits = .foreign,
  ) throws(FormatError) {
    let layout = try SafetensorsLayout(
      path: path,
      tensors: tensors,
      metadata: metadata,
      reserve: reserve,
      limits: limits
    )
    let file = try AtomicFile(path: path)
    try file.requireSpace(layout.fileSize)
    try file.write(try layout.header(metadata: metadata))
    self.layout = layout
    self.metadata = metadata
    self.file = file
  }

  /// The tensors as they will stand in the file.
  package var tensors: [SafetensorsInfo] {
    layout.tensors
  }

  /// The bytes of the whole file.
  package var fileSize: Int {
    layout.fileSize
  }

  /// Appends bytes of the tensor `name`, which must be the one that is due.
  ///
  /// - Throws: `FormatError` when another tensor is due, when the bytes are more than the tensor
  ///   has left, or when the disk fails.
  package mutating func write(_ bytes: RawSpan, to name: String) throws(FormatError) {
    skipComplete(before: name)
    guard current < layout.tensors.count else {
      throw .tensor(path: layout.path, name: name, rule: "written after the last tensor")
    }
    let tensor = layout.tensors[current]
    guard tensor.name.hasSameBytes(as: name) else {
      throw .tensor(
        path: layout.path,
        name: name,
        rule: "written out of order, '\(tensor.name.printable())' has \(filled) of "
          + "\(tensor.byteCount) bytes"
      )
    }
    guard bytes.byteCount <= tensor.byteCount - filled else {
      throw .tensor(
        path: layout.path,
        name: name,
        rule: "\(bytes.byteCount) more bytes after \(filled) of \(tensor.byteCount)"
      )
    }
    try file.write(bytes)
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
  /// - Parameter metadata: what to store in place of the texts declared, if anything.
  /// - Throws: `FormatError` when a tensor lacks bytes, the metadata outgrew their room, or the
  ///   disk fails.
  package consuming func finish(
    metadata: [(key: String, value: String)]? = nil
  ) throws(FormatError) {
    if let metadata {
      let header = try layout.header(metadata: metadata)
      try finish(header: header)
    } else {
      try finish(header: nil)
    }
  }

  /// The header as it would be with other metadata.
  func header(metadata: [(key: String, value: String)]) throws(FormatError) -> [UInt8] {
    try layout.header(metadata: metadata)
  }

  /// Completes the file with another header of the same length.
  consuming func finish(header: [UInt8]?) throws(FormatError) {
    skipComplete(before: nil)
    guard current == layout.tensors.count else {
      let tensor = layout.tensors[current]
      throw .tensor(
        path: layout.path,
        name: tensor.name,
        rule: "only \(filled) of \(tensor.byteCount) bytes were written"
      )
    }
    if let header {
      precondition(header.count == layout.headerBytes, "the header must keep its length")
      try file.overwrite(header, at: 0)
    }
    try file.commit()
  }

  /// Moves past tensors that are full, up to the one named; nil moves past all of them.
  private mutating func skipComplete(before name: String?) {
    while current < layout.tensors.count {
      let tensor = layout.tensors[current]
      guard filled == tensor.byteCount else { return }
      // Zero bytes appended to a full or empty tensor are no error.
      if let name, tensor.name.hasSameBytes(as: name) { return }
      current += 1
      filled = 0
    }
  }
}
