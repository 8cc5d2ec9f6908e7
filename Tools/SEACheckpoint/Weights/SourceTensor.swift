// SPDX-License-Identifier: Apache-2.0
// One tensor of a checkpoint, whatever file it lies in, read row by row.

package import SEATensor

/// A tensor of a foreign checkpoint: a lazy view by strides on mapped bytes.
///
/// A matrix view of any tensor has `rows` = the first axis and `columns` = all others together; a
/// vector or scalar is one row. Values are produced a chunk of rows at a time and the pages behind
/// them are given back, so that a table of a gigabyte needs no more memory than its chunk.
package struct SourceTensor: Sendable {
  /// The name in the file.
  package let name: String
  package let type: ElementType
  package let shape: [Int]
  /// Distance between neighbours along each axis, in elements.
  package let strides: [Int]
  /// First element, counted in elements from the start of the storage.
  private let offset: Int
  /// Where the storage lies in the file.
  private let storage: Range<Int>
  private let file: MappedFile

  /// Bytes of f32 that a chunk of rows aims at.
  package static let chunkBytes = 16 << 20

  /// A row-major tensor that fills `range` of a file.
  ///
  /// - Precondition: `range` lies in the file and has the bytes of `shape`.
  package init(name: String, type: ElementType, shape: [Int], range: Range<Int>, file: MappedFile) {
    self.name = name
    self.type = type
    self.shape = shape
    strides = StridedExtent.rowMajor(shape)
    offset = 0
    storage = range
    self.file = file
  }

  /// A checked tensor of a torch file.
  package init(_ tensor: TorchArchive.Tensor, file: MappedFile) {
    name = tensor.name
    type = tensor.type
    shape = tensor.shape
    strides = tensor.strides
    offset = tensor.offset
    storage = tensor.storage
    self.file = file
  }

  /// Another view on the same storage.
  private init(_ tensor: SourceTensor, shape: [Int], strides: [Int]) {
    name = tensor.name
    type = tensor.type
    self.shape = shape
    self.strides = strides
    offset = tensor.offset
    storage = tensor.storage
    file = tensor.file
  }

  /// The path of the file the tensor lies in.
  package var path: String { file.path }

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// Rows of the matrix view.
  package var rows: Int { shape.count < 2 ? 1 : shape[0] }

  /// Columns of the matrix view.
  package var columns: Int { rows == 0 ? 0 : count / rows }

  /// Rows of a chunk: as many as fit `chunkBytes` as f32, and at least one.
  package var rowsPerChunk: Int {
    max(1, Self.chunkBytes / max(1, columns * MemoryLayout<Float>.size))
  }

  /// True when the elements lie one after another in row-major order.
  package var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }
}

// MARK: - Views

extension SourceTensor {
  /// The same values without leading axes of one element, as long as a matrix remains.
  var withoutUnitAxes: SourceTensor {
    let drop = min(shape.prefix { $0 == 1 }.count, max(0, shape.count - 2))
    return SourceTensor(
      self,
      shape: Array(shape.dropFirst(drop)),
      strides: Array(strides.dropFirst(drop))
    )
  }

  /// A vector as a matrix of `count` equal rows, or nil when it cannot be cut so.
  func cut(into count: Int) -> SourceTensor? {
    guard shape.count == 1, count > 0, shape[0].isMultiple(of: count) else { return nil }
    let width = shape[0] / count
    return SourceTensor(self, shape: [count, width], strides: [width * strides[0], strides[0]])
  }

  /// A matrix with its axes exchanged.
  ///
  /// - Precondition: there are two axes.
  var transposed: SourceTensor {
    precondition(shape.count == 2, "\(name) has shape \(shape)")
    return SourceTensor(self, shape: shape.reversed(), strides: strides.reversed())
  }
}

// MARK: - Values

extension SourceTensor {
  /// Replaces the content of `values` by rows of the matrix view as f32, row-major.
  ///
  /// - Precondition: `range` lies within `0..<rows`.
  package func readRows(_ range: Range<Int>, into values: inout [Float]) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    values.removeAll(keepingCapacity: true)
    guard columns > 0, !range.isEmpty else { return }
    if isContiguous {
      ElementDecoder.append(bytes(ofRows: range), type: type, to: &values)
    } else {
      gather(range, into: &values)
    }
  }

  /// All values as f32, row-major; meant for vectors and other small tensors.
  package func floats() -> [Float] {
    var values: [Float] = []
    readRows(0..<rows, into: &values)
    release()
    return values
  }

  /// Hands rows to `body` chunk by chunk, in order, and gives each chunk's pages back after use.
  ///
  /// - Parameters:
  ///   - range: the rows; nil means all.
  ///   - body: gets the chunk's rows and their values as f32, row-major.
  /// - Throws: what `body` throws.
  package func forEachChunk<Failure: Error>(
    ofRows range: Range<Int>? = nil,
    _ body: (Range<Int>, [Float]) throws(Failure) -> Void
  ) throws(Failure) {
    let range = range ?? 0..<rows
    var values: [Float] = []
    var start = range.lowerBound
    while start < range.upperBound {
      let chunk = start..<min(range.upperBound, start + rowsPerChunk)
      readRows(chunk, into: &values)
      try body(chunk, values)
      releaseRows(chunk)
      start = chunk.upperBound
    }
  }

  /// The stored bytes of some rows, when they lie in one piece.
  package func contiguousBytes(ofRows range: Range<Int>) -> ByteView? {
    isContiguous ? bytes(ofRows: range) : nil
  }

  /// Number of values of some rows (nil: all) that are NaN or infinite; integers have none.
  package func nonFiniteCount(ofRows range: Range<Int>? = nil) -> Int {
    guard type.isFloatingPoint else { return 0 }
    var count = 0
    forEachChunk(ofRows: range) { _, values in
      count += values.reduce(0) { $0 + ($1.isFinite ? 0 : 1) }
    }
    return count
  }

  private func bytes(ofRows range: Range<Int>) -> ByteView {
    let first = (offset + range.lowerBound * columns) * type.size
    return file.bytes.slice(storage).slice(first..<first + range.count * columns * type.size)
  }

  /// Walks the axes below the rows; runs of unit stride are decoded together.
  private func gather(_ range: Range<Int>, into values: inout [Float]) {
    values.reserveCapacity(range.count * columns)
    let hasRowAxis = shape.count >= 2
    let sizes = hasRowAxis ? Array(shape.dropFirst()) : shape
    let steps = hasRowAxis ? Array(strides.dropFirst()) : strides
    let bytes = file.bytes.slice(storage)
    let runs = steps.last == 1 ? sizes[sizes.count - 1] : 1
    let outer = steps.last == 1 ? sizes.count - 1 : sizes.count
    for row in range {
      var index = [Int](repeating: 0, count: outer)
      var position = offset + (hasRowAxis ? row * strides[0] : 0)
      while true {
        let run = bytes.slice(position * type.size..<(position + runs) * type.size)
        ElementDecoder.append(run, type: type, to: &values)
        var axis = outer - 1
        while axis >= 0 {
          index[axis] += 1
          position += steps[axis]
          if index[axis] < sizes[axis] { break }
          position -= index[axis] * steps[axis]
          index[axis] = 0
          axis -= 1
        }
        if axis < 0 { break }
      }
    }
  }
}

// MARK: - Pages

extension SourceTensor {
  /// Gives the pages of all its elements back to the system.
  package func release() {
    file.release(storage)
  }

  /// Gives the pages of some rows back; those of a strided tensor go when its last row does.
  package func releaseRows(_ range: Range<Int>) {
    guard isContiguous else {
      if range.upperBound == rows { release() }
      return
    }
    let first = storage.lowerBound + (offset + range.lowerBound * columns) * type.size
    file.release(first..<first + range.count * columns * type.size)
  }
}
