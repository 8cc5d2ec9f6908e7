// SPDX-License-Identifier: Apache-2.0
// The wrappers around the kernels, against definitions and published values.

import Foundation
import SEATensor
import Testing

@Suite struct KernelsTests {
  static func random(_ rows: Int, _ columns: Int, seed: UInt64) throws -> MatrixView<Float> {
    var state = seed
    return try MatrixView(
      (0..<rows * columns).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
      },
      columns: columns
    )
  }

  static func bytes(_ values: MatrixView<Float>) -> ByteView {
    ByteView(values.array().flatMap { v in (0..<4).map { UInt8(v.bitPattern >> ($0 * 8) & 255) } })
  }

  /// The best table and the others agree elsewhere; here each must meet the definitions.
  static let levels = InstructionSet.available

  @Test(arguments: levels, [WeightKind.float, .half, .packed])
  func productsMeetTheDefinition(isa: InstructionSet, kind: WeightKind) throws {
    let kernels = try Kernels(isa)
    for (tokens, rows, columns) in [(1, 1, 1), (1, 70, 72), (5, 33, 96), (13, 65, 200)] {
      let x = try Self.random(tokens, columns, seed: 1)
      let w = try Self.random(rows, columns, seed: 2)
      let bias = FloatVector(try Self.random(1, rows, seed: 3).array())
      let y = try MatrixView<Float>(rows: tokens, columns: rows + 3).columns(0..<rows)
      let used = try kind.multiply(kernels, x, w, bias: bias, into: y)
      for token in 0..<tokens {
        for row in 0..<rows {
          var sum = Double(bias[row])
          var size = 0.0
          for k in 0..<columns {
            sum += Double(x[token, k]) * Double(used[row, k])
            size += abs(Double(x[token, k]) * Double(used[row, k]))
          }
          // Rounding of n sums; int8 activations are off by half a code of at most 1/127 each.
          let rounding = Double(columns + 2) * Double(Float.ulpOfOne) * (size + abs(sum))
          let codes = kind == .packed ? Double(columns) * 0.5 / 127 : 0
          #expect(abs(Double(y[token, row]) - sum) <= rounding + codes)
        }
      }
    }
  }

  enum WeightKind: CaseIterable {
    case float
    case half
    case packed

    /// Multiplies and returns the weights as they were stored.
    func multiply(
      _ kernels: Kernels,
      _ x: MatrixView<Float>,
      _ w: MatrixView<Float>,
      bias: FloatVector,
      into y: MatrixView<Float>
    ) throws -> MatrixView<Float> {
      let used = try MatrixView<Float>(rows: w.rows, columns: w.columns)
      switch self {
      case .float, .half:
        var bytes = KernelsTests.bytes(w)
        if self == .half {
          let rounded = try MatrixView<UInt16>(rows: w.rows, columns: w.columns)
          kernels.convert(w, toBFloat16: rounded)
          bytes = ByteView(rounded.array().flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        }
        let matrix = try PlainMatrix(
          bytes,
          rows: w.rows,
          columns: w.columns,
          storage: self == .half ? .bfloat16 : .float32
        )
        for row in 0..<w.rows { kernels.unpack(matrix, row: row, into: used.rows(row..<row + 1)) }
        let cut = w.rows / 2
        kernels.multiply(x, matrix, rows: 0..<cut, bias: bias, into: y)
        kernels.multiply(x, matrix, rows: cut..<w.rows, bias: bias, into: y)
      case .packed:
        let group = 64
        let size = PackedMatrix.byteCount(rows: 32, columns: w.columns, group: group) ?? 0
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: w.rows, by: 32) {
          let panel = try MatrixView<UInt8>(rows: 1, columns: size)
          let rows = w.rows(start..<min(start + 32, w.rows))
          let (error, energy) = Kernels.pack(rows, group: group, into: panel)
          #expect(error >= 0 && error < 1e-4 * energy)
          bytes += panel.array()
        }
        let matrix = try PackedMatrix(
          ByteView(bytes),
          rows: w.rows,
          columns: w.columns,
          group: group
        )
        for row in 0..<w.rows { matrix.unpack(row: row, into: used.rows(row..<row + 1)) }
        let activations = PackedActivations(
          codes: try MatrixView(rows: x.rows, columns: matrix.groups * group),
          scales: try MatrixView(rows: x.rows, columns: matrix.groups),
          sums: try MatrixView(rows: x.rows, columns: matrix.groups)
        )
        kernels.quantize(x, group: group, into: activations)
        for panel in 0..<matrix.panels {
          kernels.multiply(activations, matrix, panels: panel..<panel + 1, bias: bias, into: y)
        }
      }
      return used
    }
  }

  @Test(arguments: levels)
  func activationsHaveTheirPublishedValues(isa: InstructionSet) throws {
    let kernels = try Kernels(isa)
    let inputs: [Float] = [-3, -1, -0.5, 0.5, 1, 3]
    let wanted: [Activation: [Float]] = [
      .geluErf: [-0.004049694, -0.158655254, -0.154268769, 0.345731231, 0.841344746, 2.995950306],
      .geluTanh: [-0.003637392, -0.158808009, -0.154285990, 0.345714010, 0.841191991, 2.996362608],
      .quickGelu: [
        -0.018071310, -0.154204234, -0.149611563, 0.350388437, 0.845795766, 2.981928690,
      ],
      .silu: [-0.142277620, -0.268941421, -0.188770334, 0.311229666, 0.731058579, 2.857722380],
    ]
    for (f, values) in wanted {
      let x = try MatrixView(inputs, columns: 6)
      kernels.activate(f, x)
      for (found, value) in zip(x.array(), values) { #expect(abs(found - value) < 4e-7) }
      let gate = try MatrixView(inputs, columns: 6)
      let up = try MatrixView([Float](repeating: 2, count: 6), columns: 6)
      kernels.gate(f, gate, up: up)
      #expect(gate.array() == x.array().map { 2 * $0 })
    }
  }

  @Test(arguments: levels)
  func normsHaveTheirPublishedValues(isa: InstructionSet) throws {
    let kernels = try Kernels(isa)
    let x = try MatrixView<Float>([1, 2, 3, 4], columns: 4)
    let y = try MatrixView<Float>(rows: 1, columns: 4)
    let weight = FloatVector([0.1, 0.2, 0.3, 0.4])
    kernels.rmsNorm(x, weight: weight, epsilon: 1e-6, into: y)
    for (found, value) in zip(y.array(), [0.036515, 0.146059, 0.328634, 0.584237] as [Float]) {
      #expect(abs(found - value) < 1e-6)
    }
    kernels.layerNorm(
      x,
      weight: FloatVector([1, 1, 1, 1]),
      bias: weight,
      epsilon: 0,
      into: x
    )
    let deviation = Float(1.25).squareRoot()
    for (index, found) in x.array().enumerated() {
      let wanted = (Float(index) - 1.5) / deviation + weight[index]
      #expect(abs(found - wanted) < 1e-6)
    }
  }

  @Test(arguments: levels)
  func rotaryPairsAreHalfSplit(isa: InstructionSet) throws {
    let kernels = try Kernels(isa)
    let x = try MatrixView<Float>([1, 2, 3, 4, 5, 6, 7, 8], columns: 8)
    let angles = (0..<4).map { 3 * pow(10_000, -Double($0) / 4) }
    kernels.rotary(
      x,
      headDim: 8,
      cosines: try MatrixView(angles.map { Float(cos($0)) }, columns: 4),
      sines: try MatrixView(angles.map { Float(sin($0)) }, columns: 4)
    )
    let wanted: [Float] = [
      -1.695593, 0.137552, 2.788682, 3.975982, -4.808842, 6.323059, 7.086837, 8.011964,
    ]
    for (found, value) in zip(x.array(), wanted) { #expect(abs(found - value) < 2e-6) }
  }

  @Test(arguments: levels, CacheType.allCases)
  func attentionMeetsTheDefinition(isa: InstructionSet, type: CacheType) throws {
    let kernels = try Kernels(isa)
    for (dim, tokens, window) in [(8, 5, 0), (72, 40, 0), (32, 50, 11), (96, 17, 4)] {
      let bytes = KeyValueStore.byteCount(heads: 2, headDim: dim, capacity: tokens, type: type)
      let store = KeyValueStore(
        buffer: try AlignedBuffer(byteCount: bytes),
        offset: 0,
        heads: 2,
        headDim: dim,
        capacity: tokens,
        type: type
      )
      let q = try Self.random(tokens, dim, seed: 5)
      let k = try Self.random(tokens, dim, seed: 6)
      let v = try Self.random(tokens, dim, seed: 7)
      kernels.store(keys: k, values: v, head: 1, first: 0, in: store)
      let size = Kernels.attentionScratch(keys: tokens, headDim: dim)
      let scratch = try MatrixView<Float>(rows: 1, columns: size)
      for mask in [Kernels.Mask.none, .causal(first: 0, window: window)] {
        let out = try MatrixView<Float>(rows: tokens, columns: dim)
        kernels.attend(
          q,
          to: store,
          head: 1,
          keys: tokens,
          mask: mask,
          scale: 0.3,
          scratch: scratch,
          into: out
        )
        let (keys, values) = (try Self.stored(k, type), try Self.stored(v, type))
        let wanted = Self.attention(q, keys, values, mask: mask, scale: 0.3)
        for (found, value) in zip(out.array(), wanted) {
          // Queries and exponentials are rounded too where keys are bf16.
          #expect(abs(Double(found) - value) < (type == .bfloat16 ? 2e-2 : 1e-5))
        }
      }
    }
  }

  /// Rows as a store of the type gives them back.
  static func stored(
    _ rows: MatrixView<Float>,
    _ type: CacheType
  ) throws -> MatrixView<Float> {
    let values = (0..<rows.rows).flatMap { row -> [Float] in
      let values = rows.rows(row..<row + 1).array()
      switch type {
      case .float32: return values
      case .float16: return values.map { Float(Float16($0)) }
      case .bfloat16:
        return values.map { value in
          let bits = value.bitPattern
          return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
        }
      case .int8:
        let scale = (values.map(abs).max() ?? 0) / 127
        return values.map { ($0 / scale).rounded(.toNearestOrEven) * scale }
      }
    }
    return try MatrixView(values, columns: rows.columns)
  }

  static func attention(
    _ q: MatrixView<Float>,
    _ k: MatrixView<Float>,
    _ v: MatrixView<Float>,
    mask: Kernels.Mask,
    scale: Double
  ) -> [Double] {
    var result: [Double] = []
    for query in 0..<q.rows {
      var keys = 0..<k.rows
      if case .causal(let first, let window) = mask {
        let end = first + query + 1
        keys = (window > 0 ? max(0, end - window) : 0)..<end
      }
      let scores = keys.map { key in
        exp(scale * (0..<q.columns).reduce(0) { $0 + Double(q[query, $1]) * Double(k[key, $1]) })
      }
      let sum = scores.reduce(0, +)
      for d in 0..<v.columns {
        result.append(zip(keys, scores).reduce(0) { $0 + $1.1 * Double(v[$1.0, d]) } / sum)
      }
    }
    return result
  }

  @Test(arguments: levels)
  func halvesWidenAndRoundToNearestEven(isa: InstructionSet) throws {
    let kernels = try Kernels(isa)
    let x = try MatrixView<Float>([1, 1.00390625, 1.01171875, -0.0, .infinity], columns: 5)
    let rounded = try MatrixView<UInt16>(rows: 1, columns: 5)
    kernels.convert(x, toBFloat16: rounded)
    #expect(rounded.array() == [0x3F80, 0x3F80, 0x3F82, 0x8000, 0x7F80])
    let back = try MatrixView<Float>(rows: 1, columns: 3)
    // An odd start: stored halves need no alignment.
    let bytes = ByteView([9, 0x80, 0x3F, 0x82, 0x3F, 0x00, 0x80])
    kernels.widen(bytes.slice(1..<7), type: .bfloat16, into: back)
    #expect(back.array() == [1, 1.015625, 0] && back[0, 2].sign == .minus)
    kernels.widen(ByteView([0x00, 0x3C, 0x01, 0x00, 0xFF, 0x7B]), type: .float16, into: back)
    #expect(back.array() == [1, 0x1p-24, 65_504])
  }

  @Test func elementwiseSumsAndScales() throws {
    let kernels = try Kernels(.best)
    let x = try Self.random(3, 37, seed: 9)
    let y = try Self.random(3, 37, seed: 10)
    let sum = zip(x.array(), y.array()).map { $0 + $1 }
    kernels.add(x, to: y)
    #expect(y.array() == sum)
    kernels.scale(y.columns(2..<5), by: 2)
    #expect(y[1, 3] == sum[40] * 2 && y[1, 5] == sum[42])
    let before = x.array()
    kernels.add(FloatVector([Float](repeating: 1, count: 37)), toRowsOf: x)
    #expect(x.array() == before.map { $0 + 1 })
  }

  @Test func instructionSetsAreNamed() throws {
    #expect(InstructionSet.available.contains(.scalar))
    #expect(try Kernels(named: "scalar").instructionSet == .scalar)
    #expect(throws: InstructionSetError.unknown(name: "mmx")) { _ = try Kernels(named: "mmx") }
    for isa in InstructionSet.allCases where !isa.isAvailable {
      #expect(throws: InstructionSetError.unavailable(name: isa.rawValue)) { _ = try Kernels(isa) }
    }
  }
}
