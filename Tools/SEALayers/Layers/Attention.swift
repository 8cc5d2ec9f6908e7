// SPDX-License-Identifier: Apache-2.0
// Softmax attention of all heads of a layer, each sequence by itself.

package import SEATensor

/// The heads of a layer and what they see.
package struct AttentionShape: Sendable, Equatable {
  package var heads: Int
  /// Each serves `heads / kvHeads` query heads in a row.
  package var kvHeads: Int
  package var headDim: Int
  /// Queries see only positions up to their own.
  package var isCausal: Bool
  /// Keys that a query sees at most; 0: no limit.
  package var window: Int

  /// The heads of a layer.
  package init(heads: Int, kvHeads: Int, headDim: Int, isCausal: Bool, window: Int = 0) {
    self.heads = heads
    self.kvHeads = kvHeads
    self.headDim = headDim
    self.isCausal = isCausal
    self.window = window
  }

  var scale: Float { Float(1 / Double(headDim).squareRoot()) }
  var group: Int { heads / kvHeads }
  package var queryWidth: Int { heads * headDim }
  package var kvWidth: Int { kvHeads * headDim }

  func columns(_ head: Int) -> Range<Int> { head * headDim..<(head + 1) * headDim }

  /// Keys, counted from the sequence's first, that some query of a block sees.
  func keys(of queries: Range<Int>, keys count: Int) -> Range<Int> {
    guard isCausal else { return 0..<count }
    let first = window > 0 ? max(0, queries.lowerBound + 1 - window) : 0
    return first..<min(queries.upperBound, count)
  }

  func mask(_ queries: Range<Int>, _ keys: Range<Int>) -> ScoreMask {
    ScoreMask(
      firstQuery: queries.lowerBound,
      firstKey: keys.lowerBound,
      isCausal: isCausal,
      window: window
    )
  }
}

/// What the backward pass needs of a forward pass's softmax: a row a head, a column a query.
package struct AttentionStatistics {
  /// Largest scaled score.
  package let maxima: MatrixView<Float>
  /// 1 / Σ exp(score - largest).
  package let inverses: MatrixView<Float>

  /// Room of `[heads, rows of q]` each.
  package init(maxima: MatrixView<Float>, inverses: MatrixView<Float>) {
    self.maxima = maxima
    self.inverses = inverses
  }
}

/// `out = softmax(scale · q kᵀ) v`, blocks of queries at a time: probabilities of a whole sequence are
/// never held, and the backward pass computes them again.
package struct Attention {
  package let shape: AttentionShape

  /// Attention of a shape.
  package init(_ shape: AttentionShape) { self.shape = shape }

  /// Queries of a block at most: whole register tiles, and few enough to keep scores in cache.
  private static let block = 192

  /// Queries of a block: where heads are narrow, keys are packed in no time, and a shorter block computes
  /// less of what a causal mask hides.
  private var queriesTogether: Int { shape.isCausal && shape.headDim <= 64 ? 96 : Self.block }

  private struct Part {
    let queries: Range<Int>
    let keys: Range<Int>
    /// Queries and keys counted from the sequence's first.
    let local: Range<Int>
    let seen: Range<Int>
    let head: Int
  }

  /// Where queries and keys of one sequence lie.
  package struct Sequence {
    let queries: Range<Int>
    let keys: Range<Int>

    /// Rows of q and of k, v; the same where a sequence attends to itself.
    package init(queries: Range<Int>, keys: Range<Int>) {
      self.queries = queries
      self.keys = keys
    }
  }

  /// Attends; assigns `out` and the statistics.
  ///
  /// - Parameters:
  ///   - q: `[rows, queryWidth]`, rotated.
  ///   - k: `[rows, kvWidth]`, rotated.
  ///   - v: `[rows, kvWidth]`.
  ///   - sequences: rows of each sequence.
  ///   - out: `[rows, queryWidth]`.
  ///   - statistics: `[heads, rows of q]` each.
  ///   - context: execution and scratch.
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func forward(
    _ q: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    sequences: [Sequence],
    into out: MatrixView<Float>,
    statistics: AttentionStatistics,
    _ context: LayerContext
  ) throws(LayerError) {
    let execution = context.execution
    let kernels = execution.kernels
    let shape = shape
    var parts: [Part] = []
    for sequence in sequences {
      for head in 0..<shape.heads {
        for start in stride(from: 0, to: sequence.queries.count, by: queriesTogether) {
          let local = start..<min(start + queriesTogether, sequence.queries.count)
          let keys = shape.keys(of: local, keys: sequence.keys.count)
          parts.append(
            Part(
              queries: local.offset(by: sequence.queries.lowerBound),
              keys: keys.offset(by: sequence.keys.lowerBound),
              local: local,
              seen: keys,
              head: head
            )
          )
        }
      }
    }
    let longest = sequences.map(\.keys.count).max() ?? 0
    let threads = execution.pool.threads
    let room = try context.workspace.floats("attention.scores", threads * Self.block, longest)
    execution.parallel(parts.count) { index, worker in
      let part = parts[index]
      let (own, shared) = (shape.columns(part.head), shape.columns(part.head / shape.group))
      let first = worker * Self.block
      let scores = room.rows(first..<first + part.queries.count).columns(0..<part.keys.count)
      execution.multiplyAlone(
        ProductOperand(q.rows(part.queries).columns(own)),
        ProductOperand(k.rows(part.keys).columns(shared), transposed: true),
        into: scores,
        worker: worker
      )
      kernels.attentionSoftmax(
        scores,
        scale: shape.scale,
        mask: shape.mask(part.local, part.seen),
        maxima: statistics.maxima.rows(part.head..<part.head + 1).columns(part.queries),
        inverses: statistics.inverses.rows(part.head..<part.head + 1).columns(part.queries)
      )
      execution.multiplyAlone(
        ProductOperand(scores),
        ProductOperand(v.rows(part.keys).columns(shared)),
        into: out.rows(part.queries).columns(own),
        worker: worker
      )
    }
  }

  /// Assigns `dq`, `dk`, `dv`; p are the probabilities, computed again, δ the row sums of dout · out.
  ///
  ///     dv = pᵀ dout      ds = p (dout vᵀ - δ) · scale      dq = ds k      dk = dsᵀ q
  ///
  /// A query head of a sequence is one thread's work; heads that share keys
  /// are added in order.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  package func backward(
    _ q: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    out: MatrixView<Float>,
    _ dout: MatrixView<Float>,
    sequences: [Sequence],
    statistics: AttentionStatistics,
    dq: MatrixView<Float>,
    dk: MatrixView<Float>,
    dv: MatrixView<Float>,
    _ context: LayerContext
  ) throws(LayerError) {
    let (execution, space) = (context.execution, context.workspace)
    let kernels = execution.kernels
    let shape = shape
    let threads = execution.pool.threads
    let longest = sequences.map(\.keys.count).max() ?? 0
    let scores = try space.floats("attention.scores", threads * Self.block, longest)
    let slopes = try space.floats("attention.slopes", threads * Self.block, longest)
    let deltas = try space.floats("attention.delta", threads, Self.block)
    // Where heads share keys, each has a part of its own first.
    let isShared = shape.group > 1
    let keyParts = isShared ? try space.floats("attention.dk", k.rows, shape.queryWidth) : dk
    let valueParts = isShared ? try space.floats("attention.dv", k.rows, shape.queryWidth) : dv
    execution.parallel(sequences.count * shape.heads) { index, worker in
      let sequence = sequences[index / shape.heads]
      let head = index % shape.heads
      let (own, shared) = (shape.columns(head), shape.columns(head / shape.group))
      let keyGradient = keyParts.columns(own)
      let valueGradient = valueParts.columns(own)
      keyGradient.rows(sequence.keys).fill(0)
      valueGradient.rows(sequence.keys).fill(0)
      for start in stride(from: 0, to: sequence.queries.count, by: queriesTogether) {
        let local = start..<min(start + queriesTogether, sequence.queries.count)
        let seen = shape.keys(of: local, keys: sequence.keys.count)
        let queries = local.offset(by: sequence.queries.lowerBound)
        let keys = seen.offset(by: sequence.keys.lowerBound)
        let place = worker * Self.block..<worker * Self.block + local.count
        let p = scores.rows(place).columns(0..<keys.count)
        let ds = slopes.rows(place).columns(0..<keys.count)
        let delta = deltas.rows(worker..<worker + 1).columns(0..<local.count)
        let queryRows = q.rows(queries).columns(own)
        let keyRows = k.rows(keys).columns(shared)
        let gradient = dout.rows(queries).columns(own)
        execution.multiplyAlone(
          ProductOperand(queryRows),
          ProductOperand(keyRows, transposed: true),
          into: p,
          worker: worker
        )
        kernels.attentionProbabilities(
          p,
          scale: shape.scale,
          mask: shape.mask(local, seen),
          maxima: statistics.maxima.rows(head..<head + 1).columns(queries),
          inverses: statistics.inverses.rows(head..<head + 1).columns(queries)
        )
        execution.multiplyAlone(
          ProductOperand(gradient),
          ProductOperand(v.rows(keys).columns(shared), transposed: true),
          into: ds,
          worker: worker
        )
        kernels.rowProducts(gradient, out.rows(queries).columns(own), into: delta)
        kernels.softmaxBackward(p, ds, delta: delta, factor: shape.scale)
        execution.multiplyAlone(
          ProductOperand(ds),
          ProductOperand(keyRows),
          into: dq.rows(queries).columns(own),
          worker: worker
        )
        execution.multiplyAlone(
          ProductOperand(ds, transposed: true),
          ProductOperand(queryRows),
          into: keyGradient.rows(keys),
          accumulates: true,
          worker: worker
        )
        execution.multiplyAlone(
          ProductOperand(p, transposed: true),
          ProductOperand(gradient),
          into: valueGradient.rows(keys),
          accumulates: true,
          worker: worker
        )
      }
    }
    guard isShared else { return }
    execution.share(k.rows, grain: 16) { rows in
      for kvHead in 0..<shape.kvHeads {
        for (parts, target) in [(keyParts, dk), (valueParts, dv)] {
          let sum = target.rows(rows).columns(shape.columns(kvHead))
          for member in 0..<shape.group {
            let part = parts.rows(rows).columns(shape.columns(kvHead * shape.group + member))
            if member == 0 { sum.copy(from: part) } else { kernels.inference.add(part, to: sum) }
          }
        }
      }
    }
  }
}

extension Range<Int> {
  /// The range moved up.
  func offset(by distance: Int) -> Range<Int> { lowerBound + distance..<upperBound + distance }
}
