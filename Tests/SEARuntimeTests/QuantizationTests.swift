// SPDX-License-Identifier: Apache-2.0
// int8 codes, sums and products against the quantisation reference.

import SEATensor
import Testing

@Suite struct QuantizationTests {
  static let matrices = ["a", "b", "c"]

  /// A matrix of the reference, quantised per output row by our packer.
  struct Packed {
    let rows: Int
    let columns: Int
    let group: Int
    let bytes: ByteView
    let matrix: PackedMatrix

    init(_ weights: ReferenceTensor) throws {
      rows = weights.shape[0]
      columns = weights.shape[1]
      group = (columns + 31) / 32 * 32
      bytes = try MemoryWeights.pack(
        MatrixView(weights.values, columns: columns),
        format: .int8(group: group)
      )
      matrix = try PackedMatrix(bytes, rows: rows, columns: columns, group: group)
    }

    /// The code of a weight, at the place that `q8_panel.h` draws.
    func code(_ row: Int, _ column: Int) -> Int {
      let panel = row / 32 * (32 * group + 128)
      return Int(bytes[panel + column / 4 * 128 + row % 32 * 4 + column % 4]) - 128
    }

    func scale(_ row: Int) -> Float {
      let offset = row / 32 * (32 * group + 128) + 32 * group + row % 32 * 4
      return Float(bitPattern: bytes.loadLittleEndian(at: offset, as: UInt32.self))
    }
  }

  /// The inputs of a matrix, quantised per row.
  static func quantize(
    _ x: ReferenceTensor,
    group: Int,
    with kernels: Kernels
  ) throws -> PackedActivations {
    let activations = PackedActivations(
      codes: try MatrixView(rows: x.shape[0], columns: group),
      scales: try MatrixView(rows: x.shape[0], columns: 1),
      sums: try MatrixView(rows: x.shape[0], columns: 1)
    )
    kernels.quantize(try MatrixView(x.values, columns: x.shape[1]), group: group, into: activations)
    return activations
  }

  @Test(arguments: matrices)
  func weightCodesAndScalesAreExact(name: String) throws {
    let reference = try tensors(fixture("quant") + "/reference.safetensors")
    let packed = try Packed(#require(reference["\(name).W"]))
    let codes = try #require(reference["\(name).channel.codes"]).values
    let scales = try #require(reference["\(name).channel.scale"]).values
    #expect((0..<packed.rows).map { packed.scale($0).bitPattern } == bits(scales))
    let found = (0..<packed.rows).flatMap { row in
      (0..<packed.columns).map { Float(packed.code(row, $0)) }
    }
    #expect(found == codes)
    let row = try MatrixView<Float>(rows: 1, columns: packed.columns)
    let dequantized = try #require(reference["\(name).channel.dequant"]).rows
    for index in 0..<packed.rows {
      packed.matrix.unpack(row: index, into: row)
      #expect(row.array() == dequantized[index])
    }
  }

  @Test(arguments: matrices, InstructionSet.available)
  func activationCodesSumsAndProductsAgree(name: String, isa: InstructionSet) throws {
    let kernels = try Kernels(isa)
    let reference = try tensors(fixture("quant") + "/reference.safetensors")
    let packed = try Packed(#require(reference["\(name).W"]))
    let x = try #require(reference["\(name).x"])
    let tokens = x.shape[0]
    let activations = try Self.quantize(x, group: packed.group, with: kernels)
    let codes = try #require(reference["\(name).x_codes"]).rows
    let scales = try #require(reference["\(name).x_scale"]).values
    for token in 0..<tokens {
      let found = (0..<packed.group).map { Float(activations.codes[token, $0]) }
      #expect(Array(found.prefix(packed.columns)) == codes[token])
      #expect(found.dropFirst(packed.columns).allSatisfy { $0 == 0 })
      #expect(activations.sums[token, 0] == Int32(-128 * found.reduce(0, +)))
      #expect(activations.scales[token, 0] == scales[token])
    }
    let y = try MatrixView<Float>(rows: tokens, columns: packed.rows)
    let panels = 0..<packed.matrix.panels
    kernels.multiply(activations, packed.matrix, panels: panels, bias: nil, into: y)
    let accumulators = try #require(reference["\(name).channel.acc_i32"]).rows
    for token in 0..<tokens {
      for row in 0..<packed.rows {
        let sum = (0..<packed.columns).reduce(0) {
          $0 + Int(activations.codes[token, $1]) * packed.code(row, $1)
        }
        #expect(Float(sum) == accumulators[token][row])
        // One group: the product of the scales and the exact sum are all that is rounded.
        #expect(y[token, row] == Float(sum) * (scales[token] * packed.scale(row)))
      }
    }
    let wanted = try #require(reference["\(name).channel.y"]).values
    let largest = wanted.map(abs).max() ?? 0
    #expect(largestDifference(y.array(), wanted) <= 1e-6 * largest)
  }

  @Test(arguments: matrices)
  func oneTokenEqualsMany(name: String) throws {
    let reference = try tensors(fixture("quant") + "/reference.safetensors")
    let packed = try Packed(#require(reference["\(name).W"]))
    let x = try #require(reference["\(name).x"])
    for isa in InstructionSet.available {
      let kernels = try Kernels(isa)
      let activations = try Self.quantize(x, group: packed.group, with: kernels)
      let together = try MatrixView<Float>(rows: x.shape[0], columns: packed.rows)
      let alone = try MatrixView<Float>(rows: x.shape[0], columns: packed.rows)
      let panels = 0..<packed.matrix.panels
      kernels.multiply(activations, packed.matrix, panels: panels, bias: nil, into: together)
      for token in 0..<x.shape[0] {
        kernels.multiply(
          activations.rows(token..<token + 1),
          packed.matrix,
          panels: panels,
          bias: nil,
          into: alone.rows(token..<token + 1)
        )
      }
      #expect(bits(together.array()) == bits(alone.array()))
    }
  }
}
