// SPDX-License-Identifier: Apache-2.0
// The words of every visible token of a picture, and whether they are right.

package import SEAFormat
package import SEAImage
internal import SEAModel
package import SEARuntime
package import SEATensor

/// What each visual token of a picture means to a language model, cell by cell.
package struct RecallMap: Sendable {
  /// A word and its cosine with the token.
  package struct Word: Sendable, Equatable {
    package let text: String
    package let cosine: Float

    /// A word and its cosine.
    package init(_ text: String, _ cosine: Float) {
      self.text = text
      self.cosine = cosine
    }
  }

  /// How the first word of a cell stands to what is known.
  package enum Verdict: String, Sendable, CaseIterable {
    case correct
    case incorrect
    /// Nothing is known of the cell, or it has no token.
    case unlabelled
  }

  /// One cell.
  package struct Cell: Sendable {
    /// The visual token; nil where the cell has none.
    package let token: Int?
    /// The nearest words, the nearest first.
    package let words: [Word]
    /// The right words, in lower case; nil where nothing is known.
    package let truth: [String]?

    /// A cell.
    package init(token: Int?, words: [Word], truth: [String]?) {
      self.token = token
      self.words = words
      self.truth = truth
    }

    /// Whether one of the first `count` words is right; nil where nothing is known.
    package func isRight(among count: Int) -> Bool? {
      guard let truth, !words.isEmpty else { return nil }
      return words.prefix(count).contains { truth.contains($0.text.lowercased()) }
    }

    /// How the first word stands to what is known.
    package var verdict: Verdict {
      isRight(among: 1).map { $0 ? .correct : .incorrect } ?? .unlabelled
    }
  }

  /// What the map is called: a model.
  package var title: String
  package let rows: Int
  package let columns: Int
  /// `[rows · columns]`.
  package let cells: [Cell]
  /// Where the cells are in the picture; nil: the whole picture, evenly.
  package let places: TokenCells?

  /// A map of given cells.
  ///
  /// - Precondition: there are rows · columns of them.
  package init(title: String, rows: Int, columns: Int, cells: [Cell], places: TokenCells? = nil) {
    precondition(cells.count == rows * columns, "\(cells.count) cells of \(rows)×\(columns)")
    self.title = title
    self.rows = rows
    self.columns = columns
    self.cells = cells
    self.places = places
  }

  /// Something is known of at least one cell.
  package var hasTruth: Bool { cells.contains { $0.truth != nil } }

  /// Cells with a verdict.
  package func count(_ verdict: Verdict) -> Int { cells.count { $0.verdict == verdict } }

  /// Share of the cells of which something is known whose first `count` words hold a right one.
  package func accuracy(among count: Int) -> Double? {
    let known = cells.compactMap { $0.isRight(among: count) }
    return known.isEmpty ? nil : Double(known.count { $0 }) / Double(known.count)
  }

  /// The fields as JSON.
  package var json: JSONValue {
    func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
    var fields: [(key: String, value: JSONValue)] = [
      ("title", .string(title)), ("grid", [number(rows), number(columns)]),
    ]
    if hasTruth {
      var judged: [(key: String, value: JSONValue)] = Verdict.allCases.map {
        ($0.rawValue, number(count($0)))
      }
      let most = cells.map(\.words.count).max() ?? 1
      if let first = accuracy(among: 1), let any = accuracy(among: most) {
        judged.append(("top1", .number(JSONNumber(first))))
        judged.append(("top\(most)", .number(JSONNumber(any))))
      }
      fields.append(("accuracy", .object(JSONObject(judged))))
    }
    let list = cells.enumerated().map { index, cell -> JSONValue in
      var fields: [(key: String, value: JSONValue)] = [
        ("row", number(index / columns)), ("column", number(index % columns)),
        ("token", cell.token.map { number($0) } ?? .null),
        (
          "words",
          .array(
            cell.words.map { word in
              [
                "word": .string(word.text),
                "similarity": .number(JSONNumber((Double(word.cosine) * 1e5).rounded() / 1e5)),
              ]
            }
          )
        ),
      ]
      if let truth = cell.truth {
        fields.append(("labels", .array(truth.map { .string($0) })))
        fields.append(("verdict", .string(cell.verdict.rawValue)))
      }
      return .object(JSONObject(fields))
    }
    return .object(JSONObject(fields + [("cells", .array(list))]))
  }
}

extension RecallMap {
  /// Looks at a picture through a model and finds the words of its visual tokens.
  ///
  /// - Parameters:
  ///   - image: the picture.
  ///   - model: with encoder, adapter and language model.
  ///   - words: in the tokens of the model.
  ///   - count: words of a token.
  ///   - truth: what is known of the picture.
  ///   - title: what the map is called.
  ///   - execution: kernels and threads.
  ///   - visual: the picture's visual tokens where they are there already.
  ///   - progress: words done of all; may throw to stop.
  /// - Throws: `RuntimeError`, `ImageError`, or what `progress` throws.
  package init(
    of image: PixelImage,
    through model: Model,
    words: RecallWords,
    count: Int,
    truth: PatchTruth?,
    title: String,
    on execution: Execution,
    visual: MatrixView<Float>? = nil,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let size = ImageSize(height: image.height, width: image.width)
    let (encoder, adapter) = (try model.requireEncoder(), try model.requireAdapter())
    let language = try model.requireLanguage()
    guard let recipe = model.description.recipe else {
      throw RuntimeError.missingPart(name: "image recipe", model: model.path)
    }
    let places = try TokenCells(
      encoder: encoder.encoder,
      adapter: adapter.adapter,
      recipe: recipe,
      picture: size
    )
    let tokens =
      try visual
      ?? adapter.run(
        model.encode(model.pixels(of: image).values, on: execution),
        of: size,
        on: execution
      )
    let recall = WordRecall(words, in: language.table, count: count, on: execution)
    let found = try recall.find(tokens, progress: progress)
    let cells = places.tokens.enumerated().map { index, token -> Cell in
      let (x, y) = places.middle(index)
      let matches = token.map { found.matches[$0] } ?? []
      return Cell(
        token: token,
        words: matches.map { Word(words[$0.word], $0.cosine) },
        truth: truth?.words(x: x, y: y)
      )
    }
    self.init(
      title: title,
      rows: places.rows,
      columns: places.columns,
      cells: cells,
      places: places
    )
  }
}
