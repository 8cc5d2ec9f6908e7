// SPDX-License-Identifier: Apache-2.0
// The two models that a verdict compares, behind one face.

import SEAFormat
import SEAModel
import SEARuntime
import SEATensor

/// One of the two models: where its weights come from and how their pages are given back.
struct ParitySide {
  /// Weights, bound one block at a time.
  let weights: any WeightProvider
  /// Element type of keys and values.
  let cacheType: CacheType
  /// Gives the pages of a tensor back to the system.
  let release: (String) -> Void

  /// Writes row `id` of the embedding table into `row`, unscaled.
  func lookUp(
    _ id: Int32,
    _ language: LanguageModelDescription,
    into row: MatrixView<Float>,
    with kernels: Kernels
  ) throws {
    let name = "llm.embed.weight"
    let index = Int(id)
    guard index >= 0, index < language.vocab else {
      throw RuntimeError.token(id: index, vocab: language.vocab)
    }
    let table = try weights.matrix(name, rows: language.vocab, columns: language.hidden)
    switch table {
    case .packed(let matrix): matrix.unpack(row: index, into: row)
    case .plain(let matrix): kernels.unpack(matrix, row: index, into: row)
    case .streamed(let matrix): try matrix.source.read(name, rows: index..<index + 1, into: row)
    }
    release(name)
  }
}
