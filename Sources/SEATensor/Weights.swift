// SPDX-License-Identifier: Apache-2.0
// Read-only weights as kernels take them: packed int8 and int4, plain bf16 or f32 matrices, and f32 vectors.

internal import CSIMD

/// A stored tensor's bytes do not fit its declared shape.
package enum WeightError: Error, Equatable, Sendable, CustomStringConvertible {
  case size(expected: Int, found: Int)
  case alignment(Int)
  case shape(rows: Int, columns: Int, group: Int)

  package var description: String {
    switch self {
    case .size(let expected, let found): "expected \(expected) bytes, found \(found)"
    case .alignment(let bytes): "data must start at a multiple of \(bytes) bytes"
    case .shape(let rows, let columns, let group):
      "no packed layout for \(rows)×\(columns) in groups of \(group)"
    }
  }
}

/// An int8 or int4 matrix in packed panels; the layouts are drawn in `CSIMD/internal/q8_panel.h` and
/// `q4_panel.h`.
package struct PackedMatrix: Sendable {
  /// Logical rows (outputs).
  package let rows: Int
  /// Logical columns (inputs).
  package let columns: Int
  /// How codes and scales lie.
  package let format: PackedFormat

  let bytes: ByteView

  /// Inputs that share a scale, a multiple of 32.
  package var group: Int { format.group }

  /// Output rows of one panel.
  package static let panelRows = 32

  /// Largest number of inputs that one integer sum may span without overflow:
  /// 255 · 127 · 65,536 < 2³¹.
  package static let maximumGroup = 65_536

  /// Panels of 32 rows.
  package var panels: Int { (rows + Self.panelRows - 1) / Self.panelRows }

  /// Groups of inputs, the last one padded.
  package var groups: Int { (columns + group - 1) / group }

  /// Bytes of an int8 matrix, or nil when the shape has no layout.
  package static func byteCount(rows: Int, columns: Int, group: Int) -> Int? {
    PackedFormat.int8(group: group).byteCount(rows: rows, columns: columns)
  }

  /// Binds packed bytes.
  ///
  /// - Throws: `WeightError` when the size, the alignment (64) or the group does not fit.
  package init(
    _ bytes: ByteView,
    rows: Int,
    columns: Int,
    format: PackedFormat
  ) throws(WeightError) {
    guard let expected = format.byteCount(rows: rows, columns: columns) else {
      throw .shape(rows: rows, columns: columns, group: format.group)
    }
    guard bytes.count == expected else { throw .size(expected: expected, found: bytes.count) }
    guard bytes.isAligned(to: 64) else { throw .alignment(64) }
    self.bytes = bytes
    self.rows = rows
    self.columns = columns
    self.format = format
  }

  /// Whole panels of another matrix, whose size was checked with it.
  init(part bytes: ByteView, rows: Int, columns: Int, format: PackedFormat) {
    self.bytes = bytes
    self.rows = rows
    self.columns = columns
    self.format = format
  }

  /// Binds packed int8 bytes.
  ///
  /// - Throws: `WeightError` when the size, the alignment (64) or the group does not fit.
  package init(_ bytes: ByteView, rows: Int, columns: Int, group: Int) throws(WeightError) {
    try self.init(bytes, rows: rows, columns: columns, format: .int8(group: group))
  }

  var int8Argument: csimd_q8_weights {
    unsafe csimd_q8_weights(panels: bytes.address, n: rows, k: columns, group: group)
  }

  var int4Argument: csimd_q4_weights {
    unsafe csimd_q4_weights(panels: bytes.address, n: rows, k: columns)
  }

  /// Writes row `row`, dequantised, into `out` (`columns` values).
  package func unpack(row: Int, into out: MatrixView<Float>) {
    precondition(row >= 0 && row < rows && out.rows == 1 && out.columns == columns, "bad row")
    switch format {
    case .int8:
      var argument = unsafe int8Argument
      unsafe csimd_q8_unpack_row(&argument, row, out.base)
    case .int4:
      var argument = unsafe int4Argument
      unsafe csimd_q4_unpack_row(&argument, row, out.base)
    }
  }
}

/// A plain row-major matrix of f32 or bf16 weights.
package struct PlainMatrix: Sendable {
  /// How the elements are stored.
  package enum Storage: Sendable {
    case float32
    case bfloat16

    /// Bytes of one element.
    package var size: Int { self == .float32 ? 4 : 2 }
  }

  /// Rows (outputs).
  package let rows: Int
  /// Columns (inputs).
  package let columns: Int
  /// Element storage.
  package let storage: Storage

  let bytes: ByteView

  /// Binds stored bytes.
  ///
  /// - Throws: `WeightError` when the size or the element alignment does not fit.
  package init(_ bytes: ByteView, rows: Int, columns: Int, storage: Storage) throws(WeightError) {
    let (elements, overflow) = rows.multipliedReportingOverflow(by: columns)
    let (size, overflowSize) = elements.multipliedReportingOverflow(by: storage.size)
    guard !overflow, !overflowSize, rows > 0, columns > 0, bytes.count == size else {
      throw .size(expected: overflow || overflowSize ? Int.max : size, found: bytes.count)
    }
    guard bytes.isAligned(to: storage.size) else { throw .alignment(storage.size) }
    self.bytes = bytes
    self.rows = rows
    self.columns = columns
    self.storage = storage
  }
}

/// A read-only f32 vector or small table: norm weights, biases, positions.
@safe package struct FloatVector: Sendable {
  /// Number of values.
  package let count: Int

  let bytes: ByteView

  /// Binds stored bytes.
  ///
  /// - Throws: `WeightError` when the size or the alignment (4) does not fit.
  package init(_ bytes: ByteView, count: Int) throws(WeightError) {
    let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.size)
    guard !overflow, bytes.count == size else {
      throw .size(expected: overflow ? Int.max : size, found: bytes.count)
    }
    guard bytes.isAligned(to: MemoryLayout<Float>.alignment) else { throw .alignment(4) }
    self.bytes = bytes
    self.count = count
  }

  /// A vector of the given values.
  package init(_ values: [Float]) {
    unsafe bytes = values.withUnsafeBytes { unsafe ByteView(Array($0)) }
    count = values.count
  }

  /// The value at `index`.
  package subscript(index: Int) -> Float {
    precondition(index >= 0 && index < count, "value \(index) of \(count)")
    return unsafe base[index]
  }

  /// The values of `range`.
  package func slice(_ range: Range<Int>) -> FloatVector {
    FloatVector(
      unchecked: bytes.slice(range.lowerBound * 4..<range.upperBound * 4),
      count: range.count
    )
  }

  private init(unchecked bytes: ByteView, count: Int) {
    self.bytes = bytes
    self.count = count
  }

  @unsafe var base: UnsafePointer<Float> {
    unsafe bytes.address.assumingMemoryBound(to: Float.self)
  }
}
