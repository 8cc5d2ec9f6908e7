// SPDX-License-Identifier: Apache-2.0
// A model made by hand whose visual tokens are known words.

import SEACheckpoint
import SEAImage
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import SEAText
import TestSupport

/// Patch i, whatever it shows, becomes the i-th of some rows: the encoder marks places alone and the
/// adapter maps each place to its row.
struct KnownModel: WeightSource {
  var model: ModelDescription
  /// `[patches][hidden]`: what the tokens of the patches are.
  var rows: [[Float]]
  /// The language model's table, `[vocab][hidden]`.
  let table: [[Float]]
  let tokenizer: TokenizerTables
  /// Applied to every row that is read: tensor, row, values.
  var change: @Sendable (String, Int, inout [Float]) -> Void = { _, _, _ in }

  static let hidden = 32
  /// Patches along a side.
  static let side = 4

  /// A model with all rows zero.
  init() throws {
    tokenizer = try TokenizerCompiler.compile(
      TokenizerFiles(folder: Fixtures.path("SEATextTests", "llama-tiny"))
    )
    let vocab = try Tokenizer(tables: tokenizer).count
    var random = SeededRandom(seed: 11)
    table = (0..<vocab).map { _ in random.floats(Self.hidden) }
    rows = [[Float]](
      repeating: [Float](repeating: 0, count: Self.hidden),
      count: Self.side * Self.side
    )
    model = ModelDescription(name: "known")
    model.encoder = EncoderDescription(
      family: "siglip",
      imageSide: 14 * Self.side,
      patchSide: 14,
      hidden: 20,
      blocks: 1,
      heads: 2,
      ffn: 24,
      activation: .geluTanh,
      epsilon: 1e-6,
      hasClassToken: false,
      hasPatchBias: false,
      hasPreNorm: false,
      hasFinalNorm: false,
      selection: FeatureSelection(layer: 0, appliesFinalNorm: false, dropsFirst: false)
    )
    model.adapter = AdapterDescription(widths: [20, Self.hidden], activation: .geluErf)
    model.language = LanguageModelDescription(
      family: "llama",
      blocks: 1,
      hidden: Self.hidden,
      heads: 2,
      kvHeads: 1,
      headDim: 16,
      ffn: 40,
      vocab: vocab,
      activation: .silu,
      epsilon: 1e-5,
      ropeTheta: 10_000,
      slidingWindow: 0,
      isHeadTied: true,
      embeddingScale: 1,
      maxPositions: 1024
    )
    model.recipe = .siglip(side: 14 * Self.side)
    model.template = try Template.named("vicuna_v1")
  }

  func opened() throws -> Tokenizer { try Tokenizer(tables: tokenizer) }

  /// The mean of a word's rows.
  func mean(of word: String) throws -> [Float] {
    let ids = try opened().encode(word: word, form: .space)
    return (0..<Self.hidden).map { column in
      ids.reduce(0) { $0 + table[Int($1)][column] } / Float(ids.count)
    }
  }

  /// Rows before the first patch in the encoder.
  private var leading: Int { model.encoder?.hasClassToken == true ? 1 : 0 }

  func read(_ name: String, rows range: Range<Int>, into out: MatrixView<Float>) throws {
    for row in range {
      var values = self.values(name, row: row, columns: out.columns)
      change(name, row, &values)
      let place = row - range.lowerBound
      out.rows(place..<place + 1).copy(from: values)
    }
  }

  private func values(_ name: String, row: Int, columns: Int) -> [Float] {
    switch name {
    case "llm.embed.weight": return table[row]
    case "vision.position":
      // Patch i is the i-th unit vector; a class token's row is zero.
      return (0..<columns).map { $0 == row - leading ? 1 : 0 }
    case "adapter.0.weight":
      // Features beyond the patches, and those of larger scales, are not looked at.
      return (0..<columns).map { $0 < rows.count ? rows[$0][row] : 0 }
    case "adapter.newline": return (0..<columns).map { _ in 9 }
    case _ where name.hasPrefix("llm.") && name.hasSuffix(".weight") && !name.contains("norm"):
      var random = SeededRandom(seed: UInt64(row) &* 31 &+ UInt64(name.utf8.count))
      return random.floats(columns, upTo: 0.4)
    case _ where name.contains("norm") && name.hasSuffix(".weight"):
      return [Float](repeating: 1, count: columns)
    default: return [Float](repeating: 0, count: columns)
    }
  }

  func release(_ name: String) {}

  /// Writes the model into a folder and opens it.
  func open(
    in folder: TemporaryFolder,
    _ name: String = "known.sea",
    policy: PrecisionPolicy = PrecisionPolicy(all: .float32)
  ) throws -> Model {
    try write(in: folder, name, policy: policy)
    return try Model(path: folder.file(name))
  }

  /// Writes the model into a folder.
  @discardableResult
  func write(
    in folder: TemporaryFolder,
    _ name: String,
    policy: PrecisionPolicy
  ) throws -> QuantizationReport {
    try ModelFileBuilder(
      source: self,
      tokenizer: tokenizer,
      policy: policy,
      provenance: ["layout": "test"],
      pool: WorkerPool(threads: 1),
      kernels: try Kernels(.best)
    ).write(to: folder.file(name))
  }
}
