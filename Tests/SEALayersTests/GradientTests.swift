// SPDX-License-Identifier: Apache-2.0
// Every layer's backward pass against central differences of its forward pass.

import Foundation
import SEALayers
import SEAModel
import SEATensor
import TestSupport
import Testing

@Suite struct GradientTests {
  @Test(arguments: [false, true]) func linear(_ hasBias: Bool) throws {
    var random = SeededRandom(seed: 1)
    let context = LayerContext(try execution())
    let layer = Linear(
      weight: try .random("w", 7, 19, &random),
      bias: hasBias ? try .random("b", 1, 7, &random) : nil
    )
    let (x, probe) = (try matrix(5, 19, &random), try matrix(5, 7, &random))
    let (y, dx) = (try matrix(5, 7, &random), try matrix(5, 19, &random))
    var check = DifferenceCheck(
      value: {
        try layer.forward(x, into: y, context)
        return product(y, probe)
      },
      gradients: {
        try layer.backward(probe, input: x, into: dx, context)
        return [dx.array(), try #require(layer.weight.gradient).array()]
          + (layer.bias?.gradient.map { [$0.array()] } ?? [])
      }
    )
    check.variables = [("x", x), ("w", try layer.weight.view)]
    if let bias = layer.bias { check.variables.append(("b", try bias.view)) }
    try check.run()
  }

  @Test(arguments: [0, 0.4]) func lowRankFactors(_ dropout: Double) throws {
    var random = SeededRandom(seed: 2)
    var context = LayerContext(try execution())
    context.seed = 99
    let frozen = try Parameter(
      "w",
      rows: 6,
      columns: 21,
      storage: .float32,
      isTrained: false
    )
    frozen.values = .float32(try matrix(6, 21, &random))
    let factors = LowRank(
      a: try .random("a", 3, 21, &random),
      b: try .random("b", 6, 3, &random),
      scale: 2,
      dropout: dropout
    )
    let layer = Linear(weight: frozen, lowRank: factors)
    let (x, probe) = (try matrix(9, 21, &random), try matrix(9, 6, &random))
    let (y, dx) = (try matrix(9, 6, &random), try matrix(9, 21, &random))
    let check = DifferenceCheck(
      variables: [("x", x), ("a", try factors.a.view), ("b", try factors.b.view)],
      value: {
        try layer.forward(x, into: y, context)
        return product(y, probe)
      },
      gradients: {
        try layer.backward(probe, input: x, into: dx, context)
        return [
          dx.array(), try #require(factors.a.gradient).array(),
          try #require(factors.b.gradient).array(),
        ]
      }
    )
    try check.run()
    #expect(frozen.gradient == nil)
    if dropout > 0 {
      // Without the factors' inputs that were dropped, the result is another one.
      let plain = LowRank(a: factors.a, b: factors.b, scale: 2)
      let other = try matrix(9, 6, &random)
      try layer.forward(x, into: y, context)
      try Linear(weight: frozen, lowRank: plain).forward(x, into: other, context)
      #expect(y.array() != other.array())
    }
  }

  @Test(arguments: [true, false]) func norms(_ isCentered: Bool) throws {
    var random = SeededRandom(seed: 3)
    let context = LayerContext(try execution())
    let norm = Norm(
      weight: try .random("w", 1, 37, &random, around: 1),
      bias: isCentered ? try .random("b", 1, 37, &random) : nil,
      epsilon: 1e-5
    )
    let (x, probe) = (try matrix(4, 37, &random), try matrix(4, 37, &random))
    let y = try matrix(4, 37, &random)
    var check = DifferenceCheck(
      value: {
        try norm.forward(x, into: y, context)
        return product(y, probe)
      },
      gradients: {
        let dx = try MatrixView<Float>(rows: 4, columns: 37)
        try norm.backward(x, probe, addingTo: dx, context)
        return [dx.array(), try #require(norm.weight.gradient).array()]
          + (norm.bias?.gradient.map { [$0.array()] } ?? [])
      }
    )
    check.variables = [("x", x), ("w", try norm.weight.view)]
    if let bias = norm.bias { check.variables.append(("b", try bias.view)) }
    try check.run()
  }

  /// Heads, KV heads, head dim, causal, window.
  @Test(arguments: [
    AttentionShape(heads: 2, kvHeads: 2, headDim: 5, isCausal: false),
    AttentionShape(heads: 2, kvHeads: 2, headDim: 8, isCausal: true),
    AttentionShape(heads: 4, kvHeads: 2, headDim: 6, isCausal: true),
    AttentionShape(heads: 3, kvHeads: 1, headDim: 10, isCausal: true, window: 4),
    AttentionShape(heads: 2, kvHeads: 1, headDim: 33, isCausal: false),
  ])
  func attention(_ shape: AttentionShape) throws {
    var random = SeededRandom(seed: 4)
    let context = LayerContext(try execution())
    let layer = Attention(shape)
    let sequences = [0..<3, 3..<14, 14..<15].map {
      Attention.Sequence(queries: $0, keys: $0)
    }
    let rows = 15
    let q = try matrix(rows, shape.queryWidth, &random)
    let k = try matrix(rows, shape.kvWidth, &random)
    let v = try matrix(rows, shape.kvWidth, &random)
    let out = try matrix(rows, shape.queryWidth, &random)
    let probe = try matrix(rows, shape.queryWidth, &random)
    let statistics = AttentionStatistics(
      maxima: try matrix(shape.heads, rows, &random),
      inverses: try matrix(shape.heads, rows, &random)
    )
    let check = DifferenceCheck(
      variables: [("q", q), ("k", k), ("v", v)],
      value: {
        try layer.forward(
          q,
          k,
          v,
          sequences: sequences,
          into: out,
          statistics: statistics,
          context
        )
        return product(out, probe)
      },
      gradients: {
        try layer.forward(
          q,
          k,
          v,
          sequences: sequences,
          into: out,
          statistics: statistics,
          context
        )
        let dq = try matrix(rows, shape.queryWidth, &random)
        let dk = try matrix(rows, shape.kvWidth, &random)
        let dv = try matrix(rows, shape.kvWidth, &random)
        try layer.backward(
          q,
          k,
          v,
          out: out,
          probe,
          sequences: sequences,
          statistics: statistics,
          dq: dq,
          dk: dk,
          dv: dv,
          context
        )
        return [dq.array(), dk.array(), dv.array()]
      }
    )
    try check.run()
  }

  @Test func attentionLongerThanABlockMeetsDoublePrecision() throws {
    // 400 queries take three blocks; each position must see what it would see alone.
    var random = SeededRandom(seed: 5)
    let context = LayerContext(try execution())
    let shape = AttentionShape(heads: 1, kvHeads: 1, headDim: 16, isCausal: true, window: 50)
    let rows = 400
    let (q, k) = (try matrix(rows, 16, &random), try matrix(rows, 16, &random))
    let v = try matrix(rows, 16, &random)
    let out = try matrix(rows, 16, &random)
    let statistics = AttentionStatistics(
      maxima: try matrix(1, rows, &random),
      inverses: try matrix(1, rows, &random)
    )
    try Attention(shape).forward(
      q,
      k,
      v,
      sequences: [.init(queries: 0..<rows, keys: 0..<rows)],
      into: out,
      statistics: statistics,
      context
    )
    for position in [0, 49, 191, 192, 300, 399] {
      let first = max(0, position - 49)
      var (weights, total) = ([Double](), 0.0)
      for key in first...position {
        let score = (0..<16).reduce(0.0) {
          $0 + Double(q[position, $1]) * Double(k[key, $1])
        }
        weights.append(exp(score / 4))
        total += exp(score / 4)
      }
      for dim in 0..<16 {
        let exact = zip(first...position, weights).reduce(0.0) {
          $0 + $1.1 / total * Double(v[$1.0, dim])
        }
        #expect(abs(Double(out[position, dim]) - exact) < 1e-5)
      }
    }
  }

  @Test func rotaryGradientIsTheRotationBack() throws {
    var random = SeededRandom(seed: 6)
    let context = LayerContext(try execution())
    let rotary = try Rotary(headDim: 8, theta: 10_000, positions: 9)
    let x = try matrix(12, 16, &random)
    let before = x.array()
    rotary.rotate(x, sequences: [0..<9, 9..<12], context)
    #expect(Array(x.array()[..<16]) == Array(before[..<16]))
    #expect(Array(x.array()[9 * 16..<10 * 16]) == Array(before[9 * 16..<10 * 16]))
    #expect(x.array() != before)
    rotary.rotate(x, sequences: [0..<9, 9..<12], isBackward: true, context)
    expectClose(x.array(), before, relative: 1e-6, "rotated back")
    // The published row (reference.md L): position 3 of 1…8.
    let row = try MatrixView<Float>(rows: 4, columns: 8)
    row.rows(3..<4).copy(from: [1, 2, 3, 4, 5, 6, 7, 8])
    rotary.rotate(row, sequences: [0..<4], context)
    expectClose(
      row.rows(3..<4).array(),
      [-1.695593, 0.137552, 2.788682, 3.975982, -4.808842, 6.323059, 7.086837, 8.011964],
      relative: 1e-6,
      "published"
    )
  }

  @Test(arguments: Activation.allCases, [false, true])
  func towerBlocks(_ activation: Activation, _ isCausal: Bool) throws {
    var parameters = ParameterSet()
    try parameters.addTowerBlock("t", hidden: 12, ffn: 18)
    try parameters.randomize(seed: 10)
    let block = try TransformerBlock(
      tower: "t",
      in: parameters,
      hidden: 12,
      ffn: 18,
      shape: AttentionShape(heads: 3, kvHeads: 3, headDim: 4, isCausal: isCausal),
      activation: activation,
      epsilon: 1e-5
    )
    try check(block, parameters, rotary: nil)
  }

  @Test(arguments: [0, 3]) func decoderBlocks(_ window: Int) throws {
    let language = TinyDescriptions.language(window: window)
    let plan = try TensorPlan(
      ModelDescription(name: "t", language: language),
      policy: PrecisionPolicy(all: .float32)
    )
    let parameters = try ParameterSet(
      plan.all.filter { $0.name.hasPrefix("llm.blk.0.") },
      storage: { _ in .float32 },
      isTrained: { _ in true }
    )
    try parameters.randomize(seed: 11)
    let block = try TransformerBlock(0, of: language, in: parameters)
    try check(
      block,
      parameters,
      rotary: try Rotary(headDim: 6, theta: 10_000, positions: 8)
    )
  }

  /// All rows, and some of them, as the last block has them: the same numbers, the same gradients.
  private func check(
    _ block: TransformerBlock,
    _ parameters: ParameterSet,
    rotary: Rotary?
  ) throws {
    try check(block, parameters, rotary: rotary, kept: nil)
    for parameter in parameters.all { parameter.zeroGradient() }
    try check(block, parameters, rotary: rotary, kept: RowChoice([1, 4, 6]))
  }

  private func check(
    _ block: TransformerBlock,
    _ parameters: ParameterSet,
    rotary: Rotary?,
    kept: RowChoice?
  ) throws {
    var random = SeededRandom(seed: 12)
    let context = LayerContext(try execution())
    let (rows, sequences) = (7, [0..<5, 5..<7])
    let x = try matrix(rows, block.hidden, &random)
    let probe = try matrix(kept?.count ?? rows, block.hidden, &random)
    let y = try matrix(kept?.count ?? rows, block.hidden, &random)
    let tape = try BlockTape(
      for: block,
      rows: rows,
      outputs: y.rows,
      name: "tape",
      context
    )
    func forward() throws {
      try block.forward(
        x,
        into: y,
        sequences: sequences,
        rotary: rotary,
        kept: kept,
        tape: tape,
        context
      )
    }
    let check = DifferenceCheck(
      variables: [("x", x)] + (try parameters.all.map { ($0.name, try $0.view) }),
      value: {
        try forward()
        return product(y, probe)
      },
      gradients: {
        try forward()
        let slopes = try MatrixView(probe.array(), columns: block.hidden)
        let d = kept == nil ? slopes : try MatrixView<Float>(rows: rows, columns: block.hidden)
        try block.backward(
          d,
          kept: kept.map { KeptGradient(rows: $0, gradient: slopes) },
          input: x,
          sequences: sequences,
          rotary: rotary,
          tape: tape,
          context
        )
        return [d.array()] + (try parameters.all.map { try #require($0.gradient).array() })
      }
    )
    try check.run(limit: 12)
    guard let kept else { return }
    let all = try matrix(rows, block.hidden, &random)
    let whole = try BlockTape(for: block, rows: rows, outputs: rows, name: "whole", context)
    try block.forward(x, into: all, sequences: sequences, rotary: rotary, tape: whole, context)
    try forward()
    #expect(y.array() == kept.rows.flatMap { all.rows($0..<$0 + 1).array() })
  }

  /// Layers; side of the grid, 0: none.
  @Test(arguments: [(1, 0), (2, 0), (3, 0), (2, 2), (2, 4), (1, 3)])
  func adapters(_ layers: Int, _ grid: Int) throws {
    var random = SeededRandom(seed: 13)
    let context = LayerContext(try execution())
    let adapter = AdapterDescription(
      widths: [11] + [Int](repeating: 9, count: layers),
      activation: .geluErf,
      grid: grid == 0 ? nil : grid,
      hasNewline: grid > 0
    )
    let model = ModelDescription(name: "t", adapter: adapter)
    let parameters = try ParameterSet(model, options: TrainingOptions(trained: [.adapter]))
    try parameters.randomize(seed: 14)
    let layer = try Adapter(adapter, in: parameters)
    // Two pictures of 3×3 features each.
    let pictures = [0..<9, 9..<18]
    let rows = 2 * adapter.tokens(features: 9)
    let (x, probe) = (try matrix(18, 11, &random), try matrix(rows, 9, &random))
    let check = DifferenceCheck(
      variables: [("x", x)] + (try parameters.all.map { ($0.name, try $0.view) }),
      value: { product(try layer.forward(x, pictures: pictures, context).rows, probe) },
      gradients: {
        let tokens = try layer.forward(x, pictures: pictures, context)
        #expect(tokens.ranges == [0..<rows / 2, rows / 2..<rows])
        let dx = try matrix(18, 11, &random)
        try layer.backward(probe, input: x, pictures: pictures, into: dx, context)
        return [dx.array()] + (try parameters.all.map { try #require($0.gradient).array() })
      }
    )
    try check.run(limit: 20)
  }

  /// Class token and first norm, or neither; final norm or not.
  @Test(arguments: [false, true], [false, true])
  func encoders(_ isCLIP: Bool, _ appliesFinalNorm: Bool) throws {
    var random = SeededRandom(seed: 15)
    let context = LayerContext(try execution())
    let encoder = TinyDescriptions.encoder(isCLIP: isCLIP, appliesFinalNorm: appliesFinalNorm)
    let model = ModelDescription(name: "t", encoder: encoder)
    let parameters = try ParameterSet(model, options: TrainingOptions(trained: [.encoder]))
    try parameters.randomize(seed: 16)
    let layer = try VisionEncoder(encoder, in: parameters)
    let pictures = (0..<2).map { _ in random.floats(3 * 9 * 9) }
    let rows = 2 * encoder.features
    let (y, probe) = (try matrix(rows, 8, &random), try matrix(rows, 8, &random))
    let reached = parameters.all.filter {
      !$0.name.hasPrefix("vision.blk.1") && (appliesFinalNorm || !$0.name.hasPrefix("vision.norm"))
    }
    let check = DifferenceCheck(
      variables: try reached.map { ($0.name, try $0.view) },
      value: {
        try layer.forward(pictures, mode: .keep, isFinal: true, into: y, context)
        return product(y, probe)
      },
      gradients: {
        try layer.forward(pictures, mode: .recompute, isFinal: false, into: y, context)
        try layer.backward(probe, pictures: 2, mode: .recompute, context)
        return try reached.map { try #require($0.gradient, "\($0.name)").array() }
      }
    )
    try check.run(limit: 10)
  }

  @Test func embeddingScattersInOrder() throws {
    var random = SeededRandom(seed: 17)
    let context = LayerContext(try execution())
    let layer = Embedding(table: try .random("t", 5, 70, &random), scale: 3)
    let rows = try matrix(4, 70, &random)
    let before = rows.rows(1..<2).array()
    try layer.forward([4, 0, 4], at: [0, 2, 3], of: rows, context)
    let table = try layer.table.view
    #expect(rows.rows(3..<4).array() == table.rows(4..<5).array().map { $0 * 3 })
    #expect(rows.rows(1..<2).array() == before)
    try layer.backward([4, 0, 4], at: [0, 2, 3], of: rows, context)
    let gradient = try #require(layer.table.gradient)
    expectClose(
      gradient.rows(4..<5).array(),
      zip(rows.rows(0..<1).array(), rows.rows(3..<4).array()).map { ($0 + $1) * 3 },
      relative: 1e-6,
      "row 4"
    )
    #expect(gradient.rows(1..<4).array().allSatisfy { $0 == 0 })
  }

  /// A vocabulary of several chunks, so that scores are kept in parts.
  @Test func headLoss() throws {
    var random = SeededRandom(seed: 18)
    let context = LayerContext(try execution())
    let norm = Norm(weight: try .random("n", 1, 10, &random, around: 1), bias: nil, epsilon: 1e-6)
    let loss = HeadLoss(norm: norm, head: try .random("h", 700, 10, &random))
    let x = try matrix(6, 10, &random)
    let (scored, targets): ([Int], [Int32]) = ([0, 2, 5], [3, 699, 512])
    let check = DifferenceCheck(
      variables: [("x", x), ("n", try norm.weight.view), ("h", try loss.head.view)],
      value: {
        let losses = try loss.run(
          x,
          scored: scored,
          targets: targets,
          weight: 0,
          gradient: nil,
          context
        )
        return losses.reduce(0.0) { $0 + Double($1) } / 3
      },
      gradients: {
        let d = try matrix(6, 10, &random)
        _ = try loss.run(
          x,
          scored: scored,
          targets: targets,
          weight: 1 / 3,
          gradient: d,
          context
        )
        #expect(d.rows(1..<2).array().allSatisfy { $0 == 0 })
        return [
          d.array(), try #require(norm.weight.gradient).array(),
          try #require(loss.head.gradient).array(),
        ]
      }
    )
    try check.run()
  }

  @Test func packedWeightsWidenBackward() throws {
    // 70 outputs and 600 inputs: ragged panels, groups and blocks.
    var random = SeededRandom(seed: 19)
    let kernels = try Kernels(.best)
    let values = try matrix(70, 600, &random)
    let set = try ParameterSet(
      [try TensorPlan.one("llm.blk.0.mlp.up.weight", 70, 600)],
      storage: { _ in .int8(group: 64) },
      isTrained: { _ in false }
    )
    try set.load(from: OneTensor(values: values), with: kernels)
    let packed = Linear(weight: set.all[0])
    guard case .int8(let matrixBytes) = set.all[0].values else {
      Issue.record("not packed")
      return
    }
    let plain = try Parameter(
      "plain",
      rows: 70,
      columns: 600,
      storage: .float32,
      isTrained: false
    )
    for row in 0..<70 { matrixBytes.unpack(row: row, into: try plain.view.rows(row..<row + 1)) }
    let dy = try matrix(13, 70, &random)
    for precision in ProductPrecision.allCases {
      let context = LayerContext(try execution(precision))
      let results = try [packed, Linear(weight: plain)].map { layer in
        let dx = try matrix(13, 600, &random)
        try layer.backward(dy, input: dy, into: dx, context)
        return bits(dx.array())
      }
      #expect(results[0] == results[1], "\(precision)")
    }
  }

  @Test func bfloat16WeightsActAsTheirWidenedValues() throws {
    var random = SeededRandom(seed: 20)
    let kernels = try Kernels(.best)
    let context = LayerContext(try execution())
    let half = try Parameter(
      "half",
      rows: 9,
      columns: 33,
      storage: .bfloat16,
      isTrained: true
    )
    let wide = try Parameter(
      "wide",
      rows: 9,
      columns: 33,
      storage: .float32,
      isTrained: true
    )
    guard case .bfloat16(let stored) = half.values else {
      Issue.record("not bf16")
      return
    }
    kernels.convert(try matrix(9, 33, &random), toBFloat16: stored)
    context.execution.kernels.widen(stored, into: try wide.view)
    let (x, dy) = (try matrix(5, 33, &random), try matrix(5, 9, &random))
    let results = try [half, wide].map { parameter in
      let layer = Linear(weight: parameter)
      let (y, dx) = (try matrix(5, 9, &random), try matrix(5, 33, &random))
      try layer.forward(x, into: y, context)
      try layer.backward(dy, input: x, into: dx, context)
      return bits(y.array() + dx.array() + (try #require(parameter.gradient).array()))
    }
    #expect(results[0] == results[1])
  }
}
