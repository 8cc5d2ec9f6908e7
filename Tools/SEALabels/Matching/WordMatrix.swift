// SPDX-License-Identifier: Apache-2.0
// All words as directions of the joint space: exact rows, and int8 panels with their error.

import SEAFormat
package import SEATensor

/// Word directions in two files of the cache: f32 rows, and the same packed for the integer product.
///
/// The panels decide only which words are looked at exactly. How far a product with them can be off is
/// known from the distance of every word from its packed form, so nothing is missed.
package struct WordMatrix: Sendable {
  /// `[words, joint]`, rows of length 1.
  package let exact: PlainMatrix
  /// What all words share: `[joint]`, their mean.
  ///
  /// Words of a real text tower have much in common. Without it they are shorter, and so is the error
  /// of their int8 form.
  package let center: [Float]
  /// The words without what they share, in int8 with a scale a row.
  package let packed: PackedMatrix
  /// For each tile of panels the largest distance of a word from its packed form.
  package let tileErrors: [Float]
  /// For each tile the largest length of a word without what all share.
  package let tileLengths: [Float]

  /// Panels of a tile: 128 words, whose scores with a few hundred patches stay in the second cache.
  package static let tilePanels = 4

  /// Names of the tensors in the two files.
  enum Tensor {
    static let rows = "words"
    static let panels = "panels"
    static let errors = "errors"
    static let lengths = "lengths"
    static let center = "center"
  }

  /// Number of words.
  package var count: Int { exact.rows }

  /// Width of the joint space.
  package var width: Int { exact.columns }

  /// Number of tiles.
  package var tiles: Int { tileErrors.count }

  /// Panels of tile `index`.
  package func panels(ofTile index: Int) -> Range<Int> {
    index * Self.tilePanels..<min((index + 1) * Self.tilePanels, packed.panels)
  }

  /// Inputs that share a scale: the whole row, padded.
  static func group(width: Int) -> Int { (width + 31) / 32 * 32 }

  /// Binds two views of checked sizes, and error and length of every word.
  ///
  /// - Throws: `WeightError` when a size does not fit.
  init(
    rows: ByteView,
    panels: ByteView,
    errors: [Float],
    lengths: [Float],
    center: [Float]
  ) throws(WeightError) {
    let (count, width) = (errors.count, center.count)
    exact = try PlainMatrix(rows, rows: count, columns: width, storage: .float32)
    packed = try PackedMatrix(panels, rows: count, columns: width, group: Self.group(width: width))
    let words = Self.tilePanels * PackedMatrix.panelRows
    func largest(_ values: [Float]) -> [Float] {
      stride(from: 0, to: count, by: words).map { start in
        values[start..<min(start + words, count)].max() ?? 0
      }
    }
    tileErrors = largest(errors)
    tileLengths = largest(lengths)
    self.center = center
  }

  /// What the centre adds to the scores of each row: `row · center`.
  func offsets(_ rows: MatrixView<Float>) -> [Float] {
    (0..<rows.rows).map { row in
      rows.withRow(row) { values in
        var sum = 0.0
        for index in values.indices { sum += Double(values[index]) * Double(center[index]) }
        return Float(sum)
      }
    }
  }

  /// A matrix in memory.
  ///
  /// - Parameters:
  ///   - rows: `[words, joint]`, each of length 1.
  ///   - pool: threads that pack.
  /// - Throws: `FileError.outOfMemory`, `WeightError`.
  package init(_ rows: MatrixView<Float>, pool: WorkerPool) throws {
    var center = WordCenter(width: rows.columns)
    center.add(rows)
    let centered = try MatrixView<Float>(rows: rows.rows, columns: rows.columns)
    centered.copy(from: rows)
    center.subtract(from: centered)
    let packing = try PanelPacking(centered, pool: pool)
    let buffer = try AlignedBuffer(byteCount: rows.rows * rows.columns * 4)
    buffer.matrix(of: Float.self, rows: rows.rows, columns: rows.columns).copy(from: rows)
    try self.init(
      rows: buffer.bytes.slice(0..<rows.rows * rows.columns * 4),
      panels: packing.bytes,
      errors: packing.errors,
      lengths: packing.lengths,
      center: center.mean
    )
  }
}

/// The mean of rows that come in parts.
struct WordCenter {
  private var sums: [Double]
  private var count = 0

  /// No rows.
  init(width: Int) { sums = [Double](repeating: 0, count: width) }

  /// The mean so far.
  var mean: [Float] { sums.map { Float($0 / Double(max(count, 1))) } }

  /// Adds rows.
  mutating func add(_ rows: MatrixView<Float>) {
    for row in 0..<rows.rows {
      rows.withRow(row) { values in
        for index in values.indices { sums[index] += Double(values[index]) }
      }
    }
    count += rows.rows
  }

  /// Takes the mean from rows.
  func subtract(from rows: MatrixView<Float>) {
    let mean = mean
    for row in 0..<rows.rows {
      rows.withRow(row) { values in
        var values = values
        for index in values.indices { values[index] -= mean[index] }
      }
    }
  }
}

/// Rows packed into int8 panels, and how far each is from its packed form.
struct PanelPacking {
  /// The panels.
  let bytes: ByteView
  /// ‖row − packed row‖ of every row, rounded up.
  let errors: [Float]
  /// ‖row‖ of every row, rounded up.
  let lengths: [Float]

  /// Packs rows.
  ///
  /// - Throws: `FileError.outOfMemory`, `WeightError`.
  init(_ rows: MatrixView<Float>, pool: WorkerPool) throws {
    let group = WordMatrix.group(width: rows.columns)
    let panelBytes =
      PackedMatrix.byteCount(rows: PackedMatrix.panelRows, columns: rows.columns, group: group) ?? 0
    let panels = (rows.rows + PackedMatrix.panelRows - 1) / PackedMatrix.panelRows
    let buffer = try AlignedBuffer(byteCount: panels * panelBytes)
    let work = PackWork(
      rows: rows,
      group: group,
      panels: buffer.matrix(of: UInt8.self, rows: panels, columns: panelBytes)
    )
    pool.run(work, pieces: panels)
    bytes = buffer.bytes.slice(0..<panels * panelBytes)
    let packed = try PackedMatrix(bytes, rows: rows.rows, columns: rows.columns, group: group)
    let measures = try MatrixView<Float>(rows: 2, columns: rows.rows)
    let scratch = try MatrixView<Float>(rows: pool.threads, columns: rows.columns)
    let measure = MeasureWork(rows: rows, packed: packed, scratch: scratch, measures: measures)
    pool.run(measure, pieces: panels)
    errors = measures.rows(0..<1).array()
    lengths = measures.rows(1..<2).array()
  }
}

/// Packs one panel a piece.
private struct PackWork: ParallelWork {
  let rows: MatrixView<Float>
  let group: Int
  let panels: MatrixView<UInt8>

  func run(piece: Int, worker: Int) {
    let first = piece * PackedMatrix.panelRows
    let part = rows.rows(first..<min(first + PackedMatrix.panelRows, rows.rows))
    _ = Kernels.pack(part, group: group, into: panels.rows(piece..<piece + 1))
  }
}

/// Measures the rows of one panel a piece.
private struct MeasureWork: ParallelWork {
  let rows: MatrixView<Float>
  let packed: PackedMatrix
  let scratch: MatrixView<Float>
  /// Errors in row 0, lengths in row 1.
  let measures: MatrixView<Float>

  func run(piece: Int, worker: Int) {
    let first = piece * PackedMatrix.panelRows
    let unpacked = scratch.rows(worker..<worker + 1)
    for row in first..<min(first + PackedMatrix.panelRows, rows.rows) {
      packed.unpack(row: row, into: unpacked)
      let (distance, length) = rows.withRow(row) { exact in
        unpacked.withRow(0) { rounded in
          var (error, square) = (0.0, 0.0)
          for index in exact.indices {
            let difference = Double(exact[index]) - Double(rounded[index])
            error += difference * difference
            square += Double(exact[index]) * Double(exact[index])
          }
          return (error.squareRoot(), square.squareRoot())
        }
      }
      measures[0, row] = Float(distance).nextUp
      measures[1, row] = Float(length).nextUp
    }
  }
}
