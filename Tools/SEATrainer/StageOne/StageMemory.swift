// SPDX-License-Identifier: Apache-2.0
// What a run will take in memory, line by line, before anything is read.

internal import SEALayers
internal import SEAModel

/// A memory plan.
package struct StageMemory: Sendable {
  /// What it is for, and bytes.
  package private(set) var lines: [(what: String, bytes: Int)] = []

  /// Bytes of all lines.
  package var total: Int { lines.reduce(0) { $0 + $1.bytes } }

  /// A plan of these lines.
  package init(_ lines: [(what: String, bytes: Int)]) {
    for line in lines { add(line.what, line.bytes) }
  }

  /// The plan of a run.
  ///
  /// - Parameters:
  ///   - parts: the model.
  ///   - options: settings of the run.
  ///   - rows: rows of the longest sequence that is expected.
  ///   - hasLabels: something is aligned.
  package init(_ parts: StageParts, options: StageOneOptions, rows: Int, hasLabels: Bool) {
    var frozen: [ModelSection: Int] = [:]
    var trained: [ModelSection: Int] = [:]
    var factors = 0
    for spec in parts.specs {
      let storage = spec.isVector ? .float32 : parts.options.storage(of: spec)
      let bytes = storage.byteCount(rows: spec.rows, columns: spec.columns) ?? 0
      if parts.options.trains(spec.name) {
        if let section = ModelSection(name: spec.name) {
          trained[section, default: 0] += bytes + spec.rows * spec.columns * 12
        }
      } else if let section = ModelSection(name: spec.name) {
        frozen[section, default: 0] += bytes
      }
      let layer = spec.name.split(separator: ".").dropLast().last.map(String.init) ?? ""
      if let lowRank = parts.options.lowRank, !spec.isVector, spec.role == .languageLinear,
        lowRank.layers.contains(layer)
      {
        factors += lowRank.rank * (spec.rows + spec.columns) * 16
      }
    }
    add("vision encoder, frozen", frozen[.encoder] ?? 0)
    add("language model, frozen", frozen[.language] ?? 0)
    for (name, section) in [
      ("vision encoder", ModelSection.encoder), ("language model", .language),
      ("adapter", .adapter),
    ] {
      add("\(name): values, gradients, two moments", trained[section] ?? 0)
    }
    add("low-rank factors: values, gradients, two moments", factors)
    if !options.alignmentOnly {
      let rows = options.sequences * rows
      add("language model: activations", Self.activations(parts, rows: rows))
    }
    guard let encoder = parts.description.encoder, let language = parts.description.language,
      let adapter = parts.description.adapter
    else { return }
    add("vision encoder: working memory", Self.activations(of: encoder, parts, options))
    add("features of a micro-batch", options.batch * encoder.features * encoder.featureWidth * 4)
    let widths = adapter.widths.reduce(0, +)
    let sequences = options.sequences
    if !options.alignmentOnly {
      add("adapter: activations", sequences * encoder.features * (2 * widths + language.hidden) * 4)
    }
    if hasLabels {
      let window = options.rules.window
      let side = (encoder.gridSide + window - 1) / window
      let micro = options.negatives == .accum ? options.accumulate : 1
      let pairs = options.batch * micro * side * side
      add("alignment: words met before", min(128 << 20, Self.usualWords * language.hidden * 4))
      add("alignment: \(pairs) pairs", pairs * (2 * widths + 6 * language.hidden + 2 * 512) * 4)
    }
  }

  /// Words that labels draw on: reference.md G.5 counts 25,000 of 41,000 in use.
  private static let usualWords = 32_768

  private mutating func add(_ what: String, _ bytes: Int) {
    if bytes > 0 { lines.append((what, bytes)) }
  }

  /// What the encoder needs: room for one picture, and what is kept of all where it is trained.
  private static func activations(
    of encoder: EncoderDescription,
    _ parts: StageParts,
    _ options: StageOneOptions
  ) -> Int {
    let room = encoder.rows * (8 * encoder.hidden + 2 * encoder.ffn) * 4
    guard parts.options.trained.contains(.encoder) else { return room }
    let rows = options.sequences * encoder.rows
    switch parts.options.activations {
    case .keep: return encoder.blocks * rows * (7 * encoder.hidden + encoder.ffn) * 4 + room
    case .recompute:
      return encoder.blocks * rows * encoder.hidden * 4 + room * max(options.sequences, 1)
    }
  }

  /// What one pass keeps of the language model for its way back.
  private static func activations(_ parts: StageParts, rows: Int) -> Int {
    guard let language = parts.description.language else { return 0 }
    let wide = parts.options.precision == .bfloat16 ? 2 : 4
    let block =
      rows
      * ((3 * language.hidden + 2 * language.queryWidth + 2 * language.kvWidth) * 4
        + 3 * language.ffn * wide)
    let room = rows * (4 * language.hidden + 2 * language.ffn) * 4
    switch parts.options.activations {
    case .keep: return language.blocks * block + room
    case .recompute: return language.blocks * rows * language.hidden * 4 + block + room
    }
  }
}
