// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of next tokens, fused with the norm and the head before it.

import Glibc
package import SEATensor

/// `loss = Σ log Σ_j exp(h w_jᵀ) - h w_tᵀ` over scored rows, h the normed row.
///
/// Only scored rows meet the head, and their scores exist for some columns of the vocabulary at a
/// time: a first pass finds each row's maximum and sum, a second one makes the gradient from scores
/// that are kept where they are few, else computed again. The head's gradient accumulates; where the
/// head is the embedding table it is that table's.
package struct HeadLoss {
  package let norm: Norm
  /// `[vocab, hidden]`.
  package let head: Parameter

  /// A loss behind a norm and a head.
  package init(norm: Norm, head: Parameter) {
    self.norm = norm
    self.head = head
  }

  /// Rows that pass the head together.
  private static let rowBlock = 1024
  /// Scores that exist at a time.
  private static let scoreBlock = 8 << 20
  /// Scores that are kept rather than computed again.
  private static let keptScores = 16 << 20

  /// Losses of some rows, and their gradient.
  ///
  ///     dscores = (softmax - onehot) · weight      dh = dscores w      dw += dscoresᵀ h
  ///
  /// - Parameters:
  ///   - rows: outputs of the last block.
  ///   - scored: rows to score.
  ///   - targets: the next token of each.
  ///   - weight: multiplies every gradient: the loss's weight over the number of counted tokens.
  ///   - d: receives dL/d rows, zero where no row is scored; nil: losses alone are wanted.
  ///   - context: execution and workspace; the sink hears of the norm, not of the head.
  /// - Returns: the loss of each scored row.
  /// - Throws: `LayerError.file`, `.token`, or what the sink throws.
  package func run(
    _ rows: MatrixView<Float>,
    scored: [Int],
    targets: [Int32],
    weight: Float,
    gradient d: MatrixView<Float>?,
    _ context: LayerContext
  ) throws -> [Float] {
    d?.fill(0)
    guard !scored.isEmpty else { return [] }
    for id in targets where id < 0 || Int(id) >= head.rows {
      throw LayerError.token(id: Int(id), vocab: head.rows)
    }
    let space = context.workspace
    let hidden = rows.columns
    let chosen = try space.floats("head.rows", scored.count, hidden)
    let normed = try space.floats("head.normed", scored.count, hidden)
    for (index, row) in scored.enumerated() {
      chosen.rows(index..<index + 1).copy(from: rows.rows(row..<row + 1))
    }
    try norm.forward(chosen, into: normed, context)
    let dnormed = d == nil ? nil : try space.floats("head.dnormed", scored.count, hidden)
    var losses: [Float] = []
    for start in stride(from: 0, to: scored.count, by: Self.rowBlock) {
      let block = start..<min(start + Self.rowBlock, scored.count)
      losses += try score(
        normed.rows(block),
        targets: Array(targets[block]),
        weight: weight,
        gradient: dnormed?.rows(block),
        context
      )
    }
    if let d, let dnormed {
      let dchosen = try space.floats("head.dchosen", scored.count, hidden)
      dchosen.fill(0)
      try norm.backward(chosen, dnormed, addingTo: dchosen, context)
      for (index, row) in scored.enumerated() {
        d.rows(row..<row + 1).copy(from: dchosen.rows(index..<index + 1))
      }
    }
    return losses
  }

  private func score(
    _ h: MatrixView<Float>,
    targets: [Int32],
    weight: Float,
    gradient dh: MatrixView<Float>?,
    _ context: LayerContext
  ) throws(LayerError) -> [Float] {
    let (execution, space) = (context.execution, context.workspace)
    let kernels = execution.kernels
    let count = h.rows
    let width = min(max(Self.scoreBlock / count / 512 * 512, 512), head.rows)
    let chunks = stride(from: 0, to: head.rows, by: width).map {
      $0..<min($0 + width, head.rows)
    }
    let isKept = dh != nil && count * head.rows <= Self.keptScores
    let maxima = try space.floats("head.maxima", 1, count)
    let sums = try space.floats("head.sums", 1, count)
    maxima.fill(-.infinity)
    sums.fill(0)
    func scores(_ index: Int) throws(LayerError) -> MatrixView<Float> {
      let room = try space.floats("head.scores.\(isKept ? index : 0)", count, width)
      return room.columns(0..<chunks[index].count)
    }
    var found = [Float](repeating: 0, count: count)
    for (index, chunk) in chunks.enumerated() {
      let part = try scores(index)
      execution.multiply(ProductOperand(h), try operand(chunk, transposed: true), into: part)
      execution.share(count) {
        kernels.softmaxUpdate(
          part.rows($0),
          maxima: maxima.columns($0),
          sums: sums.columns($0)
        )
      }
      for (row, id) in targets.enumerated() where chunk.contains(Int(id)) {
        found[row] = part[row, Int(id) - chunk.lowerBound]
      }
    }
    let losses = (0..<count).map { row in
      Float(Double(maxima[0, row]) + log(Double(sums[0, row])) - Double(found[row]))
    }
    guard let dh else { return losses }
    for row in 0..<count { sums[0, row] = weight / sums[0, row] }
    for (index, chunk) in chunks.enumerated() {
      let part = try scores(index)
      if !isKept {
        execution.multiply(ProductOperand(h), try operand(chunk, transposed: true), into: part)
      }
      execution.share(count) {
        kernels.softmaxFinish(
          part.rows($0),
          maxima: maxima.columns($0),
          factors: sums.columns($0)
        )
      }
      for (row, id) in targets.enumerated() where chunk.contains(Int(id)) {
        part[row, Int(id) - chunk.lowerBound] -= weight
      }
      execution.multiply(
        ProductOperand(part),
        try operand(chunk, transposed: false),
        into: dh,
        accumulates: index > 0
      )
      if head.isTrained {
        execution.multiply(
          ProductOperand(part, transposed: true),
          ProductOperand(h),
          into: try head.requireGradient().rows(chunk),
          accumulates: true
        )
      }
    }
    return losses
  }

  private func operand(
    _ rows: Range<Int>,
    transposed: Bool
  ) throws(LayerError) -> ProductOperand {
    switch head.values {
    case .float32(let values): ProductOperand(values.rows(rows), transposed: transposed)
    case .bfloat16(let values): ProductOperand(values.rows(rows), transposed: transposed)
    case .int8: throw .parameter(name: head.name, reason: "a head is f32 or bf16")
    }
  }
}
