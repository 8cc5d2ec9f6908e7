// SPDX-License-Identifier: Apache-2.0
// A model file beside its source on real pictures, one part at a time in fewer bits.

package import SEAImage
package import SEAModel
package import SEARuntime
package import SEATensor
package import SEAText

/// The visual tokens of one picture: the source's, and what each part's storage makes of them.
package struct QualityTokens {
  /// `[tokens, hidden]`.
  package let source: MatrixView<Float>
  /// By part; the language model's are the source's.
  package let changed: [QualityPart: MatrixView<Float>]
  /// The embedding tables that words are looked up in.
  package let sourceTable: EmbeddingTable
  package let fileTable: EmbeddingTable
}

/// Runs source and file on pictures with prompts.
///
/// For every pair the parts are combined in five ways: the source's alone, one part of the file among
/// the source's others, and the file's alone. So an error shows up in the part that it comes from. All
/// five go through the language model block by block, and pages are given back after each: memory holds
/// activations and one block, not models.
package struct QualityComparison {
  private let models: ComparedModels
  private let execution: Execution
  private let template: Template

  /// Opens the file as a program that runs it does, and checks that it describes the source.
  ///
  /// - Throws: `QuantizerError.differentModels`, `RuntimeError` when the file cannot be opened or lacks
  ///   a part.
  package init(source: any WeightSource, path: String, on execution: Execution) throws {
    models = try ComparedModels(source: source, path: path, kernels: execution.kernels)
    self.execution = execution
    template = try models.file.template()
    _ = (try models.file.requireEncoder(), try models.file.requireAdapter())
    _ = (try models.file.requireLanguage(), try models.file.requireTokenizer())
  }

  /// The tokenizer and the number of rows of its table, for words.
  package var vocabulary: (tokenizer: Tokenizer, rows: Int)? {
    guard let tokenizer = models.file.tokenizer, let language = models.file.description.language
    else { return nil }
    return (tokenizer, language.vocab)
  }

  /// Compares one picture with its prompt.
  ///
  /// - Parameters:
  ///   - image: the picture.
  ///   - prompt: a user's message about it.
  ///   - report: takes the result.
  ///   - sameWords: for each part the visual tokens that recall the word that the source's recall; nil:
  ///     words are not compared.
  ///   - step: called after each block; may throw to stop.
  /// - Throws: what running either side throws.
  package func add(
    _ image: PixelImage,
    prompt: String,
    to report: inout QualityReport,
    sameWords: ((QualityTokens) throws -> [QualityPart: Int])? = nil,
    step: () throws -> Void = {}
  ) throws {
    let turn = Prompt.Turn(prompt, images: 1)
    let ids = try models.file.ids(of: Prompt(turns: [turn]), template: template)
    let tokens = try see(image, step)
    for (part, rows) in tokens.changed where part.changesTokens {
      report.parts[part]?.add(cosines: Self.cosines(tokens.source, rows))
    }
    if let sameWords {
      for (part, same) in try sameWords(tokens) {
        report.parts[part]?.add(sameWords: same, of: tokens.source.rows)
      }
    }
    for (part, comparisons) in try read(ids, tokens, step) {
      for comparison in comparisons { report.parts[part]?.add(comparison) }
    }
    report.pairs += 1
  }

  /// Blocks that `step` is called for with each pair.
  package var steps: Int {
    2 * (models.file.description.encoder?.selection.layer ?? 0)
      + (models.file.description.language?.blocks ?? 0)
  }

  // MARK: - Seeing

  /// The visual tokens of a picture in all four ways.
  private func see(_ image: PixelImage, _ step: () throws -> Void) throws -> QualityTokens {
    let file = models.file
    let (stored, adapter) = (try file.requireEncoder(), try file.requireAdapter())
    let pixels = try file.pixels(of: image).values
    let size = ImageSize(height: image.height, width: image.width)
    let source = try VisionEncoder(stored.encoder, weights: models.sides.source.weights)
    let given = try encode(pixels, with: source, step)
    let changed = try encode(pixels, with: stored, step)
    let own = try Adapter(adapter.adapter, weights: models.sides.source.weights)
    defer { models.release("adapter.") }
    func run(_ adapter: Adapter, _ features: MatrixView<Float>) throws -> MatrixView<Float> {
      try adapter.run(features, of: size, on: execution)
    }
    let tokens = try run(own, given)
    let language = try file.requireLanguage().language
    func table(_ side: ParitySide) throws -> EmbeddingTable {
      EmbeddingTable(
        weight: try side.weights.matrix(
          "llm.embed.weight",
          rows: language.vocab,
          columns: language.hidden
        ),
        scale: 1
      )
    }
    return QualityTokens(
      source: tokens,
      changed: [
        .encoder: try run(own, changed), .adapter: try run(adapter, given), .language: tokens,
        .all: try run(adapter, changed),
      ],
      sourceTable: try table(models.sides.source),
      fileTable: try table(models.sides.file)
    )
  }

  /// The features of a picture; each block's pages are given back once it has run.
  private func encode(
    _ pixels: [Float],
    with encoder: VisionEncoder,
    _ step: () throws -> Void
  ) throws -> MatrixView<Float> {
    let scratch = try encoder.scratch(for: execution)
    defer { models.release("vision.") }
    var failure: (any Error)?
    return try withoutActuallyEscaping(step) { step in
      let features = try encoder.encode(
        pixels,
        scratch: scratch,
        tracing: Tracing { point, _ in
          guard case .visionHidden(let block) = point, block > 0, failure == nil else { return }
          models.release("vision.blk.\(block - 1).")
          do { try step() } catch { failure = error }
        },
        on: execution
      )
      if let failure { throw failure }
      return features
    }
  }

  /// Cosine of each row with the other's; a row with a value that is not finite has 0.
  private static func cosines(
    _ one: MatrixView<Float>,
    _ other: MatrixView<Float>
  ) -> [Float] {
    (0..<one.rows).map { Float(RowComparison.cosine(one, other, row: $0)) }
  }

  // MARK: - Reading

  /// Compares the scores of the tokens after the picture, for each part.
  private func read(
    _ ids: [Int32],
    _ tokens: QualityTokens,
    _ step: () throws -> Void
  ) throws -> [QualityPart: [LogitComparison]] {
    guard let image = ids.firstIndex(of: Prompt.imageID) else {
      throw RuntimeError.images(placeholders: 0, given: 1)
    }
    let language = try models.file.requireLanguage().language
    let positions = ids.count - 1 + tokens.source.rows
    guard positions <= language.maxPositions else {
      throw RuntimeError.context(needed: positions, capacity: language.maxPositions)
    }
    let sweep = try QualitySweep(language, models.sides, tokens: positions, on: execution)
    let scale = Float(models.file.description.visualScale)
    let source = try sweep.stream(.source, ids, tokens.source, visualScale: scale)
    var streams: [(part: QualityPart, stream: QualitySweep.Stream)] = []
    for part in QualityPart.allCases {
      let side: QualitySweep.Side = part == .encoder || part == .adapter ? .source : .file
      let visual = tokens.changed[part] ?? tokens.source
      streams.append((part, try sweep.stream(side, ids, visual, visualScale: scale)))
    }
    for index in 0..<language.blocks {
      try sweep.run(index, [source] + streams.map(\.stream))
      models.release("llm.blk.\(index).")
      try step()
    }
    // Tokens after the picture, or the last position where there are none.
    let first = min(image + tokens.source.rows, positions - 1)
    let head = try QualityHead(
      language,
      models,
      source: sweep.normed(source, first..<positions),
      others: try streams.map { entry in
        (entry.stream.side, try sweep.normed(entry.stream, first..<positions))
      },
      on: execution
    )
    return Dictionary(uniqueKeysWithValues: zip(streams.map(\.part), try head.run()))
  }
}
