// SPDX-License-Identifier: Apache-2.0
// A checked, owner-retaining window on rows of memory.

import Glibc

/// Rows of elements inside an `AlignedBuffer`.
///
/// A view retains its buffer. Element access is checked; kernels check shapes once a call. Two views
/// may show the same memory: whoever splits work between threads gives each rows of its own.
@safe package struct MatrixView<Element: BitwiseCopyable>: @unchecked Sendable {
  private let owner: AnyObject
  let base: UnsafeMutablePointer<Element>

  /// Number of rows.
  package let rows: Int
  /// Elements in a row.
  package let columns: Int
  /// Elements between the starts of two rows.
  package let stride: Int

  @unsafe init(
    owner: AnyObject,
    base: UnsafeMutablePointer<Element>,
    rows: Int,
    columns: Int,
    stride: Int
  ) {
    self.owner = owner
    unsafe self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride
  }

  /// A zeroed matrix with a buffer of its own.
  ///
  /// - Throws: `FileError.outOfMemory`.
  package init(rows: Int, columns: Int) throws(FileError) {
    let (elements, overflow) = rows.multipliedReportingOverflow(by: columns)
    let (bytes, overflowBytes) = elements.multipliedReportingOverflow(
      by: MemoryLayout<Element>.stride
    )
    guard !overflow, !overflowBytes else { throw .outOfMemory(bytes: Int.max) }
    self = try AlignedBuffer(byteCount: bytes).matrix(rows: rows, columns: columns)
  }

  /// A matrix with a buffer of its own that holds `values` row by row.
  ///
  /// - Throws: `FileError.outOfMemory`.
  /// - Precondition: `values.count` is a multiple of `columns`.
  package init(_ values: [Element], columns: Int) throws(FileError) {
    precondition(
      columns > 0 && values.count % columns == 0,
      "\(values.count) values, \(columns) columns"
    )
    try self.init(rows: values.count / columns, columns: columns)
    unsafe values.withUnsafeBufferPointer { source in
      guard let start = source.baseAddress else { return }
      unsafe base.update(from: start, count: source.count)
    }
  }

  /// The element at `row`, `column`.
  ///
  /// - Precondition: both are in range.
  package subscript(row: Int, column: Int) -> Element {
    get {
      precondition(
        row >= 0 && row < rows && column >= 0 && column < columns,
        "\(row), \(column) out of range"
      )
      return unsafe base[row * stride + column]
    }
    nonmutating set {
      precondition(
        row >= 0 && row < rows && column >= 0 && column < columns,
        "\(row), \(column) out of range"
      )
      unsafe base[row * stride + column] = newValue
    }
  }

  /// The rows of `range`.
  ///
  /// - Precondition: `range` lies within the rows.
  package func rows(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    return unsafe MatrixView(
      owner: owner,
      base: base + range.lowerBound * stride,
      rows: range.count,
      columns: columns,
      stride: stride
    )
  }

  /// The columns of `range` in every row.
  ///
  /// - Precondition: `range` lies within the columns.
  package func columns(_ range: Range<Int>) -> MatrixView {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= columns,
      "columns \(range) of \(columns)"
    )
    return unsafe MatrixView(
      owner: owner,
      base: base + range.lowerBound,
      rows: rows,
      columns: range.count,
      stride: stride
    )
  }

  /// Sets every element.
  package func fill(_ value: Element) {
    // Gradients and scratch start at zero in every pass; outside this module a loop over elements of
    // any type is not specialised, and took 5 % of a small model's step.
    let isZero = unsafe withUnsafeBytes(of: value) { unsafe $0.allSatisfy { $0 == 0 } }
    guard !isZero else {
      let isWhole = columns == stride
      let bytes = (isWhole ? rows * columns : columns) * MemoryLayout<Element>.stride
      for row in 0..<(isWhole ? min(rows, 1) : rows) {
        unsafe memset(base + row * stride, 0, bytes)
      }
      return
    }
    for row in 0..<rows {
      unsafe (base + row * stride).update(repeating: value, count: columns)
    }
  }

  /// Copies the elements of `source`.
  ///
  /// - Precondition: both have the same shape and do not overlap.
  package func copy(from source: MatrixView) {
    precondition(source.rows == rows && source.columns == columns, "shapes differ")
    for row in 0..<rows {
      unsafe (base + row * stride).update(from: source.base + row * source.stride, count: columns)
    }
  }

  /// Copies the elements of an array, row by row.
  ///
  /// - Precondition: `values.count` is `rows · columns`.
  package func copy(from values: [Element]) {
    precondition(values.count == rows * columns, "\(values.count) values for \(rows)×\(columns)")
    unsafe values.withUnsafeBufferPointer { source in
      guard let start = source.baseAddress else { return }
      for row in 0..<rows {
        unsafe (base + row * stride).update(from: start + row * columns, count: columns)
      }
    }
  }

  /// The elements, row by row.
  package func array() -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(rows * columns)
    for row in 0..<rows {
      unsafe result.append(
        contentsOf: UnsafeBufferPointer(start: base + row * stride, count: columns)
      )
    }
    return result
  }

  /// Lends one row as a bounds-checked span.
  package func withRow<Result, Failure: Error>(
    _ row: Int,
    _ body: (consuming MutableSpan<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
    return try unsafe body(
      UnsafeMutableBufferPointer(start: base + row * stride, count: columns).mutableSpan
    )
  }
}
