// SPDX-License-Identifier: Apache-2.0
// Adapters whose features and tokens form a grid.

import SEAFormat
import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct TokenGridTests {
  private static let side = 4
  private static let grid = 3

  /// The adapter of a fixture on a grid, and its features.
  private func adapter(
    grid: Int?,
    cutsPadding: Bool = true
  ) throws -> (Adapter, FixtureModel, MatrixView<Float>) {
    let folder = try fixture(MultimodalTests.name)
    var source = try FixtureModel.whole(folder, visualScale: 1)
    source.model.adapter?.grid = grid
    source.model.adapter?.hasNewline = true
    source.model.adapter?.cutsPadding = cutsPadding
    source.values["adapter.newline"] = ReferenceTensor(
      shape: [72],
      values: (0..<72).map { Float($0) / 8 - 4 }
    )
    let features = try #require(
      try tensors(folder + "/reference.safetensors")["image0.encoder_features"]
    )
    let weights = try MemoryWeights(source, policy: PrecisionPolicy(all: .float32))
    return (
      try Adapter(try #require(source.model.adapter), weights: weights), source,
      try MatrixView(features.values, columns: 72)
    )
  }

  private func execution(threads: Int = 2) throws -> Execution {
    Execution(kernels: try Kernels(.best), threads: threads)
  }

  /// The same layers without a grid.
  private func project(
    _ features: MatrixView<Float>,
    _ source: FixtureModel
  ) throws -> [[Float]] {
    var source = source
    source.model.adapter = source.model.adapter.map {
      AdapterDescription(widths: $0.widths, activation: $0.activation)
    }
    let weights = try MemoryWeights(source, policy: PrecisionPolicy(all: .float32))
    let plain = try Adapter(try #require(source.model.adapter), weights: weights)
    return rows(try plain.run(features, on: execution()))
  }

  private func rows(_ matrix: MatrixView<Float>) -> [[Float]] {
    (0..<matrix.rows).map { matrix.rows($0..<$0 + 1).array() }
  }

  /// Half-pixel bilinear resampling in double precision.
  private func resampled(_ features: MatrixView<Float>, from side: Int, to grid: Int) -> [Float] {
    func tap(_ position: Int) -> (near: Int, far: Int, weight: Double) {
      let center = max(0, (Double(position) + 0.5) * Double(side) / Double(grid) - 0.5)
      let near = min(Int(center), side - 1)
      return (near, min(near + 1, side - 1), center - Double(near))
    }
    var values: [Float] = []
    for y in 0..<grid {
      for x in 0..<grid {
        let (v, h) = (tap(y), tap(x))
        for column in 0..<features.columns {
          func at(_ y: Int, _ x: Int) -> Double { Double(features[y * side + x, column]) }
          let upper = at(v.near, h.near) * (1 - h.weight) + at(v.near, h.far) * h.weight
          let lower = at(v.far, h.near) * (1 - h.weight) + at(v.far, h.far) * h.weight
          values.append(Float(upper * (1 - v.weight) + lower * v.weight))
        }
      }
    }
    return values
  }

  @Test(arguments: [3, 5, 8, 1])
  func resamplesThenProjectsThenEndsEachLine(_ grid: Int) throws {
    let (adapter, source, features) = try adapter(grid: grid)
    let tokens = rows(try adapter.run(features, on: execution()))
    #expect(tokens.count == grid * (grid + 1))
    let cells = try MatrixView(resampled(features, from: Self.side, to: grid), columns: 72)
    let wanted = try project(cells, source)
    let newline = try #require(source.values["adapter.newline"]).values
    for y in 0..<grid {
      for x in 0..<grid {
        // Features are of the order of 1; two layers of 72 inputs keep f32 differences below this.
        #expect(largestDifference(tokens[y * (grid + 1) + x], wanted[y * grid + x]) < 1e-4)
      }
      #expect(tokens[y * (grid + 1) + grid] == newline)
    }
  }

  @Test func keepsAGridOfEqualSideToTheBit() throws {
    let (adapter, source, features) = try adapter(grid: nil)
    let tokens = rows(try adapter.run(features, on: execution()))
    let wanted = try project(features, source)
    #expect(tokens.count == 20)
    for (index, row) in wanted.enumerated() { #expect(tokens[index / 4 * 5 + index % 4] == row) }
  }

  @Test func cutsLinesAndColumnsOfPadding() throws {
    let (adapter, source, features) = try adapter(grid: nil)
    let whole = rows(try adapter.run(features, on: execution()))
    let newline = try #require(source.values["adapter.newline"]).values
    let wide = rows(
      try adapter.run(features, of: ImageSize(height: 50, width: 100), on: execution())
    )
    #expect(wide == Array(whole[5..<15]))
    let tall = rows(
      try adapter.run(features, of: ImageSize(height: 100, width: 50), on: execution())
    )
    var middle: [[Float]] = []
    for line in 0..<4 { middle += Array(whole[line * 5 + 1...line * 5 + 2]) + [newline] }
    #expect(tall == middle)
    let (other, _, _) = try self.adapter(grid: nil, cutsPadding: false)
    let uncut = rows(
      try other.run(features, of: ImageSize(height: 50, width: 100), on: execution())
    )
    #expect(uncut == whole)
  }

  /// Cells kept of a grid, computed by the reference's own function.
  @Test(arguments: [
    (24, 640, 480, 3, 21, 0, 24), (24, 480, 640, 0, 24, 3, 21), (24, 500, 333, 4, 20, 0, 24),
    (24, 333, 500, 0, 24, 4, 20), (24, 1023, 767, 3, 21, 0, 24), (24, 1, 1, 0, 24, 0, 24),
    (27, 640, 480, 3, 24, 0, 27), (3, 100, 60, 1, 2, 0, 3), (24, 99, 100, 0, 24, 0, 24),
    (24, 225, 150, 4, 20, 0, 24), (24, 120, 150, 0, 24, 2, 22),
  ])
  func keepsTheCellsThatThePictureCovers(
    _ side: Int,
    _ width: Int,
    _ height: Int,
    _ top: Int,
    _ bottom: Int,
    _ left: Int,
    _ right: Int
  ) {
    let cells = GridCells(side: side, of: ImageSize(height: height, width: width))
    #expect(cells.rows == top..<bottom && cells.columns == left..<right)
  }

  @Test(arguments: [(24, 1000, 10), (24, 10, 1000), (1, 9, 1), (2, 1, 4096), (27, 1, 8192)])
  func alwaysKeepsALine(_ side: Int, _ width: Int, _ height: Int) {
    let cells = GridCells(side: side, of: ImageSize(height: height, width: width))
    #expect(!cells.rows.isEmpty && !cells.columns.isEmpty)
    #expect(cells.rows.upperBound <= side && cells.columns.upperBound <= side)
  }

  @Test func givesTheSameBitsForAnyThreads() throws {
    let (adapter, _, features) = try adapter(grid: Self.grid)
    let one = try adapter.run(features, on: execution(threads: 1)).array()
    #expect(try adapter.run(features, on: execution(threads: 3)).array() == one)
  }

  @Test func refusesFeaturesThatAreNoSquare() throws {
    let (adapter, _, features) = try adapter(grid: Self.grid)
    #expect(throws: RuntimeError.self) {
      try adapter.run(features.rows(0..<15), on: execution())
    }
  }

  @Test func describesGridsInJSON() throws {
    let plain = AdapterDescription(widths: [72, 72], activation: .geluErf)
    #expect(plain.json.serialized() == "{\"widths\":[72,72],\"activation\":\"gelu_erf\"}")
    let grid = AdapterDescription(
      widths: [72, 72],
      activation: .geluErf,
      grid: 24,
      hasNewline: true,
      cutsPadding: true
    )
    #expect(try AdapterDescription(json: grid.json) == grid)
    #expect(grid.tokens(features: 729) == 600 && plain.tokens(features: 729) == 729)
    #expect(grid.tokens(features: 729, of: ImageSize(height: 480, width: 640)) == 18 * 25)
    for (key, value) in [
      ("grid", "0"), ("grid", "257"), ("newline", "1"), ("cuts_padding", "\"x\""),
    ] {
      let text = "{\"widths\":[72,72],\"activation\":\"gelu_erf\",\"\(key)\":\(value)}"
      #expect(throws: ModelError.self) {
        try AdapterDescription(json: JSONScanner.parse(Array(text.utf8)))
      }
    }
  }
}
