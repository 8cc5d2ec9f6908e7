// SPDX-License-Identifier: Apache-2.0
// What layers run on: training kernels, threads, and the scratch of products.

package import SEATensor

/// Kernels and the threads that call them; one pass at a time may use an execution.
///
/// Work is cut into disjoint parts of the results and no sum is cut, so results have the same bits for
/// any number of threads.
package struct TrainingExecution {
  package let kernels: TrainingKernels
  package let pool: WorkerPool
  /// How operands of products are rounded.
  package let precision: ProductPrecision

  private let scratch: MatrixView<UInt8>

  /// An execution on some threads.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  package init(
    kernels: TrainingKernels,
    pool: WorkerPool,
    precision: ProductPrecision = .float32
  ) throws(LayerError) {
    self.kernels = kernels
    self.pool = pool
    self.precision = precision
    scratch = try allocate(rows: pool.threads, columns: TrainingKernels.productScratch)
  }

  /// The scratch of one worker's products.
  func scratch(of worker: Int) -> MatrixView<UInt8> { scratch.rows(worker..<worker + 1) }

  /// Runs pieces of work on all threads.
  func parallel(_ pieces: Int, _ body: @escaping (_ piece: Int, _ worker: Int) -> Void) {
    pool.run(ClosureWork(body: body), pieces: pieces)
  }

  /// Shares out `units` in ranges of at least `grain`.
  func share(_ units: Int, grain: Int = 1, _ body: @escaping (Range<Int>) -> Void) {
    let pieces = min(max(units / max(grain, 1), 1), pool.threads == 1 ? 1 : pool.threads * 4)
    parallel(pieces) { piece, _ in
      let range = units * piece / pieces..<units * (piece + 1) / pieces
      if !range.isEmpty { body(range) }
    }
  }

  /// `c = a · b`, or `c += a · b`, cut along the longer side of `c`; rounded as the execution says
  /// unless `isExact`.
  package func multiply(
    _ a: ProductOperand,
    _ b: ProductOperand,
    into c: MatrixView<Float>,
    accumulates: Bool = false,
    isExact: Bool = false
  ) {
    let isWide = c.columns >= c.rows
    // Whole register tiles; enough rows or columns that packing the other operand again is cheap: a
    // kernel packs it once for each 512 columns anyway.
    let (length, unit, grain) = isWide ? (c.columns, 32, 512) : (c.rows, 12, 384)
    let units = (length + unit - 1) / unit
    // A product that takes a millisecond is worth every thread.
    let isLarge = c.rows * c.columns >= (1 << 26) / max(a.columns, 1)
    let fewest = isLarge ? min(pool.threads, units) : 1
    let pieces = min(max(length / grain, fewest, 1), pool.threads == 1 ? 1 : pool.threads * 4)
    parallel(pieces) { piece, worker in
      let first = min(units * piece / pieces * unit, length)
      let range = first..<min(units * (piece + 1) / pieces * unit, length)
      guard !range.isEmpty else { return }
      kernels.multiply(
        isWide ? a : a.rows(range),
        isWide ? b.columns(range) : b,
        into: isWide ? c.columns(range) : c.rows(range),
        accumulates: accumulates,
        rounds: precision == .bfloat16 && !isExact,
        scratch: scratch(of: worker)
      )
    }
  }

  /// `c = a · b` by the calling worker alone.
  func multiplyAlone(
    _ a: ProductOperand,
    _ b: ProductOperand,
    into c: MatrixView<Float>,
    accumulates: Bool = false,
    worker: Int
  ) {
    kernels.multiply(
      a,
      b,
      into: c,
      accumulates: accumulates,
      rounds: precision == .bfloat16,
      scratch: scratch(of: worker)
    )
  }

  // MARK: - Rows

  /// `y = x`.
  func copy(_ x: MatrixView<Float>, into y: MatrixView<Float>) {
    share(x.rows, grain: 16) { y.rows($0).copy(from: x.rows($0)) }
  }

  /// `y += factor · x`.
  func add(_ x: MatrixView<Float>, times factor: Float = 1, to y: MatrixView<Float>) {
    share(x.rows, grain: 16) { kernels.add(x.rows($0), times: factor, to: y.rows($0)) }
  }

  /// `gradient += Σ rows of x`, the gradient of a bias.
  func addColumnSums(of x: MatrixView<Float>, to gradient: MatrixView<Float>) {
    share((x.columns + 63) / 64, grain: 2) { range in
      let columns = range.lowerBound * 64..<min(range.upperBound * 64, x.columns)
      kernels.addColumnSums(of: x.columns(columns), to: gradient.columns(columns))
    }
  }
}

private struct ClosureWork: ParallelWork {
  let body: (Int, Int) -> Void

  func run(piece: Int, worker: Int) { body(piece, worker) }
}
