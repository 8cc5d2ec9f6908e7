// SPDX-License-Identifier: Apache-2.0
// Symmetric contrastive loss over pairs of rows: SEA's alignment loss, and CLIP's.

import Glibc
package import SEATensor

/// The learnable temperature of a contrastive loss.
package enum Temperature: Sendable, Equatable {
  /// p = ln(1/τ): the scale is exp(p).
  case logScale(Float)
  /// τ itself: the scale is 1/τ.
  case tau(Float)

  /// Multiplies cosine similarities.
  package var scale: Double {
    switch self {
    case .logScale(let p): exp(Double(p))
    case .tau(let tau): 1 / Double(tau)
    }
  }

  /// dL/d parameter from dL/d ln(scale).
  func gradient(ofLogScale d: Double) -> Double {
    switch self {
    case .logScale: d
    case .tau(let tau): -d / Double(tau)
    }
  }
}

/// What a contrastive loss found.
package struct ContrastiveResult: Sendable, Equatable {
  /// Mean of both directions.
  package var loss = 0.0
  /// First rows looking for their partners.
  package var forward = 0.0
  /// Second rows looking for theirs.
  package var backward = 0.0
  /// dL/d temperature parameter (p or τ as given).
  package var temperatureGradient = 0.0
}

/// The mean of two cross-entropies over similarities s_ij = cos(x_i, t_j) · scale.
///
///     loss = ½ mean_i -log softmax_j(s_ij)[i] + ½ mean_j -log softmax_i(s_ij)[j]
///
/// Equal rows are negatives of each other like any others. Similarities are f32 whatever the
/// precision of the execution, for some rows at a time. Gradients are added to `dx` and `dt`.
///
/// Source: reference.md G.1; README of the fixture sea/contrastive.
package struct ContrastiveLoss {
  private let execution: TrainingExecution

  /// Rows whose similarities exist at a time.
  private static let block = 512

  /// A loss on an execution.
  package init(on execution: TrainingExecution) { self.execution = execution }

  /// Loss and gradients of pairs.
  ///
  /// - Parameters:
  ///   - x: `[pairs, width]`.
  ///   - t: `[pairs, width]`.
  ///   - temperature: its parameter.
  ///   - weight: multiplies every gradient (λ); not the returned losses.
  ///   - dx: dL/dx is added; nil: not wanted.
  ///   - dt: dL/dt is added; nil: not wanted.
  /// - Returns: losses and the (weighted) gradient of the temperature.
  /// - Throws: `LayerError.input` for other shapes, `.file` when memory cannot be had.
  package func run(
    _ x: MatrixView<Float>,
    _ t: MatrixView<Float>,
    temperature: Temperature,
    weight: Float = 1,
    dx: MatrixView<Float>?,
    dt: MatrixView<Float>? = nil
  ) throws(LayerError) -> ContrastiveResult {
    guard x.rows == t.rows, x.columns == t.columns else {
      throw .input(
        what: "the partners' shape",
        found: "\(t.rows)×\(t.columns)",
        expected: "\(x.rows)×\(x.columns)"
      )
    }
    var result = ContrastiveResult()
    guard x.rows > 0 else { return result }
    let units = (x: try UnitRows(x, on: execution), t: try UnitRows(t, on: execution))
    let dux: MatrixView<Float>? = dx == nil ? nil : try allocate(rows: x.rows, columns: x.columns)
    let dut: MatrixView<Float>? = dt == nil ? nil : try allocate(rows: x.rows, columns: x.columns)
    let scale = temperature.scale
    let ahead = try direction(
      units.x.values,
      units.t.values,
      scale: Float(scale),
      dux,
      dut
    )
    let back = try direction(
      units.t.values,
      units.x.values,
      scale: Float(scale),
      dut,
      dux
    )
    result.forward = ahead.loss
    result.backward = back.loss
    result.loss = (ahead.loss + back.loss) / 2
    let slope = (ahead.slope + back.slope) / 2
    result.temperatureGradient = Double(weight) * temperature.gradient(ofLogScale: slope)
    // The directions left d(2 · loss) / d(scale · unit row).
    let factor = weight * Float(scale) / 2
    if let dx, let dux { try units.x.backward(dux, times: factor, addingTo: dx, on: execution) }
    if let dt, let dut { try units.t.backward(dut, times: factor, addingTo: dt, on: execution) }
    return result
  }

  /// One direction: `mean_i -log softmax_j(a_i · b_j · scale)[i]`.
  ///
  ///     g = (softmax - onehot) / pairs      da += g b      db += gᵀ a      dL/d ln(scale) = Σ g · s
  private func direction(
    _ a: MatrixView<Float>,
    _ b: MatrixView<Float>,
    scale: Float,
    _ da: MatrixView<Float>?,
    _ db: MatrixView<Float>?
  ) throws(LayerError) -> (loss: Double, slope: Double) {
    let pairs = a.rows
    let height = min(Self.block, pairs)
    let kernels = execution.kernels
    let room: MatrixView<Float> = try allocate(rows: height, columns: pairs)
    let copies: MatrixView<Float> = try allocate(rows: height, columns: pairs)
    let statistics: MatrixView<Float> = try allocate(rows: 4, columns: height)
    var (loss, slope) = (0.0, 0.0)
    for start in stride(from: 0, to: pairs, by: Self.block) {
      let own = start..<min(start + Self.block, pairs)
      let g = room.rows(0..<own.count)
      let s = copies.rows(0..<own.count)
      let columns = 0..<own.count
      let maxima = statistics.rows(0..<1).columns(columns)
      let sums = statistics.rows(1..<2).columns(columns)
      let products = statistics.rows(2..<3).columns(columns)
      execution.multiply(
        ProductOperand(a.rows(own)),
        ProductOperand(b, transposed: true),
        into: g,
        isExact: true
      )
      maxima.fill(-.infinity)
      sums.fill(0)
      execution.share(own.count) { rows in
        kernels.inference.scale(g.rows(rows), by: scale)
        s.rows(rows).copy(from: g.rows(rows))
        kernels.softmaxUpdate(
          g.rows(rows),
          maxima: maxima.columns(rows),
          sums: sums.columns(rows)
        )
      }
      for row in 0..<own.count {
        let log = Glibc.log(Double(sums[0, row]))
        loss += Double(maxima[0, row]) + log - Double(s[row, start + row])
        sums[0, row] = 1 / (sums[0, row] * Float(pairs))
      }
      execution.share(own.count) { rows in
        kernels.softmaxFinish(
          g.rows(rows),
          maxima: maxima.columns(rows),
          factors: sums.columns(rows)
        )
        for row in rows { g[row, start + row] -= 1 / Float(pairs) }
        kernels.rowProducts(g.rows(rows), s.rows(rows), into: products.columns(rows))
      }
      for row in 0..<own.count { slope += Double(products[0, row]) }
      if let da {
        execution.multiply(
          ProductOperand(g),
          ProductOperand(b),
          into: da.rows(own),
          accumulates: true,
          isExact: true
        )
      }
      if let db {
        execution.multiply(
          ProductOperand(g, transposed: true),
          ProductOperand(a.rows(own)),
          into: db,
          accumulates: true,
          isExact: true
        )
      }
    }
    return (loss / Double(pairs), slope)
  }
}
