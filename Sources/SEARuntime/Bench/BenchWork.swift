// SPDX-License-Identifier: Apache-2.0
// How much arithmetic and reading a stage cannot do without, by the model's shapes.

package import SEAModel
package import SEATensor

/// The work of a stage and the limit that binds it.
package enum BenchWork: Sendable, Equatable {
  /// Operations, a multiply and an add counting as two: linear layers, attention, patches.
  case operations(Double, ArithmeticUnit)
  /// Bytes of weights and of stored keys and values.
  case bytes(Double)

  /// The limit's name: `int8`, `bf16`, `f32`, `read`.
  package var limit: String {
    switch self {
    case .operations(_, let unit): unit.rawValue
    case .bytes: "read"
    }
  }

  /// Operations or bytes.
  package var amount: Double {
    switch self {
    case .operations(let amount, _), .bytes(let amount): amount
    }
  }
}

extension ArithmeticUnit {
  /// The unit whose rate binds products of stored weights.
  init(_ storage: WeightStorage) {
    switch storage {
    case .float32: self = .float32
    case .bfloat16: self = .bfloat16
    default: self = .int8
    }
  }
}

extension ModelDescription {
  /// The work of the encoder on one picture, every tile of every scale; nil without an encoder.
  package func encodeWork(_ policy: PrecisionPolicy) -> BenchWork? {
    guard let encoder else { return nil }
    let (rows, hidden) = (Double(encoder.rows), Double(encoder.hidden))
    let linear = 2 * rows * (4 * hidden * hidden + 2 * hidden * Double(encoder.ffn))
    let attention = 4 * rows * rows * hidden
    let patches = 2 * Double(encoder.patches * encoder.patchValues) * hidden
    let tiles = encoder.scales.reduce(0) { sum, side in
      let across = side / encoder.imageSide
      return sum + across * across
    }
    let tile = Double(encoder.selection.layer) * (linear + attention) + patches
    let storage = policy.storage(of: "vision.blk.0.mlp.fc1.weight", role: .encoderLinear)
    return .operations(tile * Double(max(tiles, 1)), ArithmeticUnit(storage))
  }

  /// The work of the adapter on one picture; nil without one.
  package func adapterWork(_ policy: PrecisionPolicy) -> BenchWork? {
    guard let adapter, let encoder else { return nil }
    let rows = adapter.grid.map { $0 * $0 } ?? encoder.features
    let products = zip(adapter.widths, adapter.widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
    let storage = policy.storage(of: "adapter.0.weight", role: .adapterLinear)
    return .operations(2 * Double(rows) * Double(products), ArithmeticUnit(storage))
  }

  /// The work of reading a prompt into an empty context and scoring its last position; nil without a
  /// language model.
  package func prefillWork(tokens: Int, _ policy: PrecisionPolicy) -> BenchWork? {
    guard let language else { return nil }
    let (hidden, ffn) = (Double(language.hidden), Double(language.ffn))
    let attention = 2 * Double(language.queryWidth + language.kvWidth)
    let linear = Double(language.blocks) * (hidden * attention + 3 * hidden * ffn)
    let window = language.slidingWindow == 0 ? tokens : language.slidingWindow
    let seen = (1...max(tokens, 1)).reduce(0) { $0 + min($1, window) }
    let scores = 4 * Double(language.blocks * language.queryWidth) * Double(seen)
    let head = 2 * hidden * Double(language.vocab)
    let storage = policy.storage(of: "llm.blk.0.mlp.up.weight", role: .languageLinear)
    return .operations(
      2 * linear * Double(tokens) + scores + head,
      ArithmeticUnit(storage)
    )
  }

  /// What a token of an answer reads, at the middle of the positions it is measured over.
  package func decodeWork(
    depth: Int,
    tokens: Int,
    cache: CacheType,
    _ plan: TensorPlan
  ) -> BenchWork? {
    guard let language else { return nil }
    var weights = 0
    for spec in plan.all where spec.name.hasPrefix("llm.") {
      let isTableAlone = spec.name == "llm.embed.weight" && !language.isHeadTied
      weights += isTableAlone ? spec.byteCount / max(spec.rows, 1) : spec.byteCount
    }
    var keys = depth + (tokens + 1) / 2
    if language.slidingWindow > 0 { keys = min(keys, language.slidingWindow) }
    let stored = KVCache.byteCount(language, capacity: max(keys, 1), type: cache)
    return .bytes(Double(weights + stored))
  }
}
