// SPDX-License-Identifier: Apache-2.0
// How well a model's visual tokens are aligned with its words, over a set of pictures.

package import SEAFormat
package import SEAImage
internal import SEAModel
package import SEARuntime
internal import SEATensor

/// Figures over pictures: alignment accuracy, distribution gap and caption scores.
///
/// - Source: reference.md J.4, J.5, J.7.
package struct AlignmentReport: Sendable {
  /// Pictures that were looked at.
  package private(set) var pictures = 0
  /// Visual tokens of all pictures.
  package private(set) var tokens = 0
  /// Visual tokens of which it is known what they show.
  package private(set) var known = 0
  /// Known tokens whose nearest word is right, and those with a right one among the first ten.
  package private(set) var first = 0
  package private(set) var amongTen = 0
  /// Sum over tokens of the distance to the nearest word, and of their lengths.
  package private(set) var distances = 0.0
  package private(set) var norms = 0.0
  /// The mean length of a word's row.
  package var wordNorm = 0.0
  /// Sum over pictures of the caption score, and pictures that have one.
  package private(set) var captionScores = 0.0
  package private(set) var captions = 0

  /// Nothing yet.
  package init() {}

  /// Words that the second accuracy looks at.
  package static let wide = 10

  /// Takes up one picture.
  ///
  /// - Parameters:
  ///   - map: its words, `wide` a token.
  ///   - found: distance of each token to the nearest word.
  ///   - meanNorm: mean length of the tokens.
  ///   - captionScore: nil without a caption.
  package mutating func add(
    _ map: RecallMap,
    distances found: [Double],
    meanNorm: Double,
    captionScore: Double?
  ) {
    pictures += 1
    tokens += found.count
    distances += found.reduce(0, +)
    norms += meanNorm * Double(found.count)
    for cell in map.cells {
      guard let isRight = cell.isRight(among: 1) else { continue }
      known += 1
      if isRight { first += 1 }
      if cell.isRight(among: Self.wide) == true { amongTen += 1 }
    }
    if let captionScore {
      captionScores += captionScore
      captions += 1
    }
  }

  private static func share(_ count: Int, of total: Int) -> Double? {
    total > 0 ? Double(count) / Double(total) : nil
  }

  /// Share of the known tokens whose nearest word is right; nil where nothing is known.
  package var accuracy: Double? { Self.share(first, of: known) }

  /// The same for one right word among ten.
  package var wideAccuracy: Double? { Self.share(amongTen, of: known) }

  /// Mean distance of a token to the nearest word.
  package var distance: Double? { tokens > 0 ? distances / Double(tokens) : nil }

  /// Mean length of a token.
  package var tokenNorm: Double? { tokens > 0 ? norms / Double(tokens) : nil }

  /// Mean caption score of a picture.
  package var captionScore: Double? { captions > 0 ? captionScores / Double(captions) : nil }

  /// The figures as JSON; what is not known is null.
  package var fields: [(key: String, value: JSONValue)] {
    func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
    func number(_ value: Double?) -> JSONValue {
      value.map { .number(JSONNumber(($0 * 1e6).rounded() / 1e6)) } ?? .null
    }
    return [
      ("pictures", number(pictures)), ("tokens", number(tokens)), ("known_tokens", number(known)),
      ("accuracy", number(accuracy)), ("accuracy_top\(Self.wide)", number(wideAccuracy)),
      ("distance", number(distance)), ("token_norm", number(tokenNorm)),
      ("word_norm", number(wordNorm)), ("tacs", number(captionScore)),
      ("captions", number(captions)),
    ]
  }
}

extension AlignmentReport {
  /// A picture with what is known of it.
  package struct Picture {
    package let image: PixelImage
    package let truth: PatchTruth?
    /// Ids of its caption; nil: it has none.
    package let caption: [Int32]?

    /// A picture.
    package init(_ image: PixelImage, truth: PatchTruth?, caption: [Int32]?) {
      self.image = image
      self.truth = truth
      self.caption = caption
    }
  }

  /// Looks at a picture through a model.
  ///
  /// - Throws: `RuntimeError`, `ImageError`.
  package mutating func add(
    _ picture: Picture,
    through model: Model,
    words: RecallWords,
    on execution: Execution
  ) throws {
    let (language, adapter) = (try model.requireLanguage(), try model.requireAdapter())
    let image = picture.image
    let size = ImageSize(height: image.height, width: image.width)
    let features = try model.encode(model.pixels(of: image).values, on: execution)
    let rows = try adapter.run(features, of: size, on: execution)
    let map = try RecallMap(
      of: image,
      through: model,
      words: words,
      count: Self.wide,
      truth: picture.truth,
      title: "",
      on: execution,
      visual: rows
    )
    let measures = TokenMeasures(words, in: language.table, on: execution)
    add(
      map,
      distances: try measures.distances(rows),
      meanNorm: TokenMeasures.meanNorm(rows),
      captionScore: try picture.caption.flatMap {
        try measures.captionScore(rows, caption: $0)
      }
    )
  }
}
