// SPDX-License-Identifier: Apache-2.0
// Patches as points of the joint space, in several forms.

import SEAModel
package import SEATensor

/// How the rows of the last blocks become points of the joint space.
package enum PatchForm: Sendable, Equatable {
  /// The final norm and, where there is one, the projection of the last block's rows.
  case raw
  /// The last block with every row attending to itself alone.
  case selfAttending(keepsResidual: Bool, keepsFeedForward: Bool)
  /// A path beside the last blocks in which values attend to values.
  case valueAttending(blocks: Int)
  /// Each row through the pooling head as if it were the only one.
  case pooledAlone
}

extension VisionEncoder {
  /// Encodes one picture and places its patches in the joint space.
  ///
  /// - Parameters:
  ///   - pixels: `[3, side, side]`, normalised, channel first.
  ///   - form: how rows become points.
  ///   - picture: `[1, joint]`, takes the class token's point on the usual path; for values that
  ///     attend to values only.
  ///   - scratch: working memory for this encoder.
  ///   - execution: kernels and threads.
  /// - Returns: `[patches, joint]`, not normalised.
  /// - Throws: `RuntimeError.input` for another number of values or a form that this encoder has not,
  ///   `.missingPart` where the encoder does not lead to a joint space.
  /// - Source: reference.md G.2.
  package func points(
    _ pixels: [Float],
    as form: PatchForm,
    picture: MatrixView<Float>? = nil,
    scratch: EncoderScratch,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    guard let joint else {
      throw .missingPart(name: "joint space", model: encoder.family)
    }
    let (all, rows) = (blocks + joint.blocks, scratch.rows)
    try embed(pixels, scratch: scratch, on: execution)
    func run(_ range: Range<Int>) throws(RuntimeError) {
      for block in all[range] {
        try block.run(
          rows,
          store: scratch.store,
          pairs: scratch.pairs,
          scratch: scratch.block,
          on: execution
        )
      }
    }
    switch form {
    case .raw, .pooledAlone:
      try run(0..<all.count)
      return try joint.points(
        of: rows,
        aloneInPool: form == .pooledAlone,
        scratch: scratch,
        patches: encoder.patches,
        on: execution
      )
    case .selfAttending(let keepsResidual, let keepsFeedForward):
      guard let last = all.last else { throw Self.tooShort(form, blocks: 0) }
      try run(0..<all.count - 1)
      try last.runSelfAttending(
        rows,
        keepsResidual: keepsResidual,
        keepsFeedForward: keepsFeedForward,
        scratch: scratch.block,
        on: execution
      )
      return try joint.points(
        of: rows,
        scratch: scratch,
        patches: encoder.patches,
        on: execution
      )
    case .valueAttending(let count):
      guard count > 0, count <= all.count else { throw Self.tooShort(form, blocks: all.count) }
      try run(0..<all.count - count)
      let local = try JointHead.matrix(rows: rows.rows, columns: rows.columns)
      local.copy(from: rows)
      for block in all.suffix(count) {
        try block.runBeside(
          rows,
          local: local,
          store: scratch.store,
          scratch: scratch.block,
          on: execution
        )
      }
      if let picture {
        let point = try joint.points(
          of: rows.rows(0..<1),
          scratch: scratch,
          patches: 1,
          on: execution
        )
        picture.copy(from: point)
      }
      return try joint.points(
        of: local,
        scratch: scratch,
        patches: encoder.patches,
        on: execution
      )
    }
  }

  private static func tooShort(_ form: PatchForm, blocks: Int) -> RuntimeError {
    .input(
      what: "the encoder",
      found: "\(blocks) blocks deep",
      expected: "as many blocks as the form \(form) changes"
    )
  }
}

extension JointHead {
  /// Places final rows in the joint space.
  ///
  /// - Parameters:
  ///   - rows: `[rows, hidden]`, not normed.
  ///   - aloneInPool: through the pooling head, each row by itself.
  ///   - scratch: working memory of the encoder.
  ///   - patches: how many of the last rows are patches.
  ///   - execution: kernels and threads.
  /// - Returns: `[patches, joint]`.
  /// - Throws: `RuntimeError.input` where there is no pooling head and one was asked for.
  fileprivate func points(
    of rows: MatrixView<Float>,
    aloneInPool: Bool = false,
    scratch: EncoderScratch,
    patches: Int,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let chosen = rows.rows(rows.rows - patches..<rows.rows)
    switch kind {
    case .projection(let layer):
      guard !aloneInPool else {
        throw .input(what: "the encoder", found: "one that projects", expected: "a pooling head")
      }
      let points = try Self.matrix(rows: patches, columns: layer.weight.rows)
      try execution.apply(
        chosen,
        norm: norm,
        in: scratch.block.room,
        LinearTask(layer, into: points)
      )
      return points
    case .pooling(let head):
      let normed = try Self.matrix(rows: patches, columns: rows.columns)
      norm.apply(chosen, into: normed, with: execution.kernels)
      guard aloneInPool else { return normed }
      let points = try Self.matrix(rows: patches, columns: rows.columns)
      try head.runRowByRow(normed, scratch: scratch, into: points, on: execution)
      return points
    }
  }
}
