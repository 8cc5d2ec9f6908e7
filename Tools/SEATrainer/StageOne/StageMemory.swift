// SPDX-License-Identifier: Apache-2.0
// What a run will take in memory, line by line, before anything is read.

internal import SEALayers
internal import SEAModel

/// What an optimiser holds beside the values that it changes.
package struct OptimizerMemory: Sendable {
  package var moments: MomentType
  /// Gradients go as soon as they are used.
  package var isFused: Bool

  /// f32 moments and all gradients unless something else is said.
  package init(moments: MomentType = .float32, isFused: Bool = false) {
    self.moments = moments
    self.isFused = isFused
  }
}

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
  ///   - optimizer: what it holds.
  package init(
    _ parts: StageParts,
    options: StageOneOptions,
    rows: Int,
    hasLabels: Bool,
    optimizer: OptimizerMemory = OptimizerMemory()
  ) {
    var frozen: [ModelSection: Int] = [:]
    var trained: [ModelSection: Int] = [:]
    var factors = 0
    for spec in parts.specs {
      let storage = spec.isVector ? .float32 : parts.options.storage(of: spec)
      let bytes = storage.byteCount(rows: spec.rows, columns: spec.columns) ?? 0
      if parts.options.trains(spec.name) {
        if let section = ModelSection(name: spec.name) {
          let gradient = optimizer.isFused ? 0 : spec.rows * spec.columns * 4
          trained[section, default: 0] +=
            bytes + gradient
            + optimizer.moments.byteCount(rows: spec.rows, columns: spec.columns)
        }
      } else if let section = ModelSection(name: spec.name) {
        frozen[section, default: 0] += bytes
      }
      let layer = spec.name.split(separator: ".").dropLast().last.map(String.init) ?? ""
      if let lowRank = parts.options.lowRank, !spec.isVector, spec.role == .languageLinear,
        lowRank.layers.contains(layer)
      {
        let rank = lowRank.rank
        factors +=
          rank * (spec.rows + spec.columns) * (optimizer.isFused ? 4 : 8)
          + optimizer.moments.byteCount(rows: rank, columns: spec.columns)
          + optimizer.moments.byteCount(rows: spec.rows, columns: rank)
      }
    }
    add("vision encoder, frozen", frozen[.encoder] ?? 0)
    add("language model, frozen", frozen[.language] ?? 0)
    for (name, section) in [
      ("vision encoder", ModelSection.encoder), ("language model", .language),
      ("adapter", .adapter),
    ] {
      add("\(name): \(Self.held(optimizer))", trained[section] ?? 0)
    }
    add("low-rank factors: \(Self.held(optimizer))", factors)
    if optimizer.isFused { add("gradients within a pass", Self.passing(parts)) }
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

  private static func held(_ optimizer: OptimizerMemory) -> String {
    optimizer.isFused ? "values, two moments" : "values, gradients, two moments"
  }

  /// Gradients that exist together where each goes when it is used: that of a table which is the
  /// head too lasts as long as the pass.
  private static func passing(_ parts: StageParts) -> Int {
    var (table, others) = (0, 0)
    for spec in parts.specs where parts.options.trains(spec.name) {
      let bytes = spec.rows * spec.columns * 4
      if spec.name == "llm.embed.weight", parts.description.language?.isHeadTied == true {
        table = bytes
      } else {
        others = max(others, bytes)
      }
    }
    return table + others
  }

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
