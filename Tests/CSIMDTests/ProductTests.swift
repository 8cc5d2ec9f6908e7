// SPDX-License-Identifier: Apache-2.0
// Products of matrices for training.

import CSIMD
import TestSupport
import Testing

/// Rows, columns and depth of a product.
struct ProductShape: Sendable, CustomTestStringConvertible {
  var m: Int
  var n: Int
  var k: Int

  var testDescription: String { "\(m)×\(n), k \(k)" }

  /// Below, at, above and far from register tiles of 6×16 and 12×32 and blocks of 256, 512 and 768.
  static let all = [
    ProductShape(m: 1, n: 1, k: 1), ProductShape(m: 5, n: 15, k: 2),
    ProductShape(m: 6, n: 16, k: 16),
    ProductShape(m: 12, n: 32, k: 17), ProductShape(m: 13, n: 33, k: 31),
    ProductShape(m: 23, n: 47, k: 33), ProductShape(m: 25, n: 64, k: 257),
    ProductShape(m: 3, n: 530, k: 513), ProductShape(m: 781, n: 18, k: 9),
  ]
}

@Suite struct ProductTests {
  @Test(arguments: Level.vector, ProductShape.all)
  func everyLevelGivesTheBitsOfScalar(_ level: Level, _ shape: ProductShape) throws {
    var random = SeededRandom(seed: 200)
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let a = random.floats(m * k)
    let b = random.floats(k * n)
    let stride = n + 2
    let c = random.floats((m - 1) * stride + n)
    // Every storage of A with every one of B would be many; a walk meets each pair of forms once.
    for (index, form) in Operand.all.enumerated() {
      for other in Operand.all {
        for rounding in TrainingTable.Rounding.allCases {
          let edge: GuardedEdge = index % 2 == 0 ? .low : .high
          let results = try [Level.scalar, level].map {
            try $0.training(edge: edge).product(
              (a, form),
              (b, other),
              m: m,
              n: n,
              k: k,
              c: c,
              cStride: stride,
              accumulates: index % 2 == 1,
              rounding: rounding
            )
          }
          expectSameBits(
            results[1],
            results[0],
            "\(form.testDescription) · \(other.testDescription) \(rounding)"
          )
        }
      }
    }
  }

  @Test(
    .enabled(if: csimd_bf16_available(), "this machine has no AVX-512 BF16"),
    arguments: ProductShape.all
  )
  func processorsOwnProductsAreWithinTheirBound(_ shape: ProductShape) throws {
    var random = SeededRandom(seed: 201)
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let native = TrainingTable(
      table: try #require(csimd_train_table_for(.avx512vnni)),
      edge: .high
    )
    #expect(native.table.pointee.multiplies_bf16)
    let scalar = try Level.scalar.training()
    let a = random.floats(m * k)
    let b = random.floats(k * n)
    let c = [Float](repeating: 0, count: m * n)
    for form in Operand.all {
      for other in Operand.all {
        let results = [native, scalar].map {
          $0.product(
            (a, form),
            (b, other),
            m: m,
            n: n,
            k: k,
            c: c,
            cStride: n,
            accumulates: false,
            rounding: .bf16
          )
        }
        for i in 0..<m {
          for j in 0..<n {
            // Operands are below 1 and a rounding up adds 2^-9 of them at most.
            let magnitude = (0..<k).reduce(0.0) {
              $0 + abs(Double(a[i * k + $1]) * Double(b[$1 * n + j])) * 1.01
            }
            let bound = Double(k) * 0x1p-23 * magnitude + 1e-30
            let difference = abs(Double(results[0][i * n + j]) - Double(results[1][i * n + j]))
            if difference > bound {
              Issue.record("\(i), \(j) is off by \(difference), bound \(bound)")
              return
            }
          }
        }
      }
    }
  }

  /// Cutting a product along rows and columns changes no bits: what thread counts rely on.
  @Test func anyCutGivesTheSameBits() throws {
    var random = SeededRandom(seed: 202)
    var tables = try Level.allCases.map { try $0.training() }
    if csimd_bf16_available(), let table = csimd_train_table_for(.avx512vnni) {
      tables.append(TrainingTable(table: table, edge: .high))
    }
    let (m, n, k) = (40, 70, 600)
    let a = random.floats(m * k)
    let b = random.floats(k * n)
    let plain = Operand(isHalf: false, isTransposed: false)
    for kernels in tables {
      for rounding in TrainingTable.Rounding.allCases {
        let whole = kernels.product(
          (a, plain),
          (b, plain),
          m: m,
          n: n,
          k: k,
          c: [Float](repeating: 0, count: m * n),
          cStride: n,
          accumulates: false,
          rounding: rounding
        )
        let rows = 17..<22
        let part = kernels.product(
          (Array(a[rows.lowerBound * k..<rows.upperBound * k]), plain),
          (b, plain),
          m: rows.count,
          n: n,
          k: k,
          c: [Float](repeating: 0, count: rows.count * n),
          cStride: n,
          accumulates: false,
          rounding: rounding
        )
        expectSameBits(part, Array(whole[rows.lowerBound * n..<rows.upperBound * n]), "rows")
        let columns = 9..<52
        var narrow: [Float] = []
        for row in 0..<k { narrow += b[row * n + 9..<row * n + 52] }
        let side = kernels.product(
          (a, plain),
          (narrow, plain),
          m: m,
          n: columns.count,
          k: k,
          c: [Float](repeating: 0, count: m * columns.count),
          cStride: columns.count,
          accumulates: false,
          rounding: rounding
        )
        var expected: [Float] = []
        for row in 0..<m { expected += whole[row * n + 9..<row * n + 52] }
        expectSameBits(side, expected, "columns")
      }
    }
  }

  @Test(arguments: Level.allCases) func emptyDepthGivesZerosOrNothing(_ level: Level) throws {
    let plain = Operand(isHalf: false, isTransposed: false)
    for accumulates in [false, true] {
      let result = try level.training().product(
        ([], plain),
        ([], plain),
        m: 2,
        n: 3,
        k: 0,
        c: [1, 2, 3, 4, 5, 6],
        cStride: 3,
        accumulates: accumulates,
        rounding: .none
      )
      #expect(result == (accumulates ? [1, 2, 3, 4, 5, 6] : [0, 0, 0, 0, 0, 0]))
    }
  }
}
