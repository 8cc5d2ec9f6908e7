// SPDX-License-Identifier: Apache-2.0
// What a label file says about how its labels were made.

package import SEAFormat
package import SEAImage
internal import SEAModel

/// How well the words of captions rank among all words, for both signs.
package struct SignCalibration: Sendable, Equatable {
  /// Pictures looked at.
  package let pairs: Int
  /// Caption words looked at.
  package let words: Int
  /// Mean rank, from 1, of the caption words by cosine.
  package let positive: Double
  /// The same by negated cosine.
  package let negative: Double

  /// Two means.
  package init(pairs: Int, words: Int, positive: Double, negative: Double) {
    self.pairs = pairs
    self.words = words
    self.positive = positive
    self.negative = negative
  }

  /// The sign under which caption words rank better.
  package var sign: ScoreSign { negative < positive ? .negative : .positive }
}

/// Labels drawn in advance: one patch and one word a window.
package struct Presampling: Sendable, Equatable {
  /// Patches along a window's side.
  package let window: Int
  package let seed: UInt64

  /// Largest window: an offset must fit a byte.
  package static let maximumWindow = 15

  /// A window and a seed.
  package init(window: Int, seed: UInt64) {
    self.window = window
    self.seed = seed
  }
}

/// Part `index` of `count` of an image list.
package struct LabelShard: Sendable, Equatable {
  /// From 1.
  package let index: Int
  package let count: Int

  /// Most parts.
  package static let maximum = 65_536

  /// A part.
  package init(index: Int, count: Int) {
    self.index = index
    self.count = count
  }

  /// The images of this part.
  package func range(of images: Int) -> Range<Int> {
    images * (index - 1) / count..<images * index / count
  }
}

/// The header of a label file.
///
/// Two runs with equal headers over the same pictures make the same file.
package struct LabelHeader: Sendable, Equatable {
  /// The encoder's family, for people.
  package var encoderName: String
  /// SHA-256 over all files that encoder and text tower were made of.
  package var encoderDigest: String
  /// Precision of the weights: `f32`, `bf16`, `int8`.
  package var weights: String
  package var wordCount: Int
  /// SHA-256 of the words.
  package var wordDigest: String
  package var promptSet: String
  package var promptDigest: String
  package var promptCount: Int
  /// The kind of feature and its options.
  package var feature: JSONValue
  package var sign: ScoreSign
  /// `auto` or `given`.
  package var signChoice: String
  package var calibration: SignCalibration?
  package var recipe: ImageRecipe
  package var grid: LabelGrid
  package var topN: Int
  /// Distinct pictures of the whole data, of all shards.
  package var images: Int
  /// SHA-256 of their names, each followed by a line feed.
  package var imageDigest: String
  /// Width of the joint space.
  package var width: Int
  package var presampling: Presampling?
  package var shard: LabelShard?

  /// Memberwise; see the properties.
  package init(
    encoderName: String,
    encoderDigest: String,
    weights: String,
    wordCount: Int,
    wordDigest: String,
    promptSet: String,
    promptDigest: String,
    promptCount: Int,
    feature: JSONValue,
    sign: ScoreSign,
    signChoice: String,
    calibration: SignCalibration?,
    recipe: ImageRecipe,
    grid: LabelGrid,
    topN: Int,
    images: Int,
    imageDigest: String,
    width: Int,
    presampling: Presampling?,
    shard: LabelShard?
  ) {
    self.encoderName = encoderName
    self.encoderDigest = encoderDigest
    self.weights = weights
    self.wordCount = wordCount
    self.wordDigest = wordDigest
    self.promptSet = promptSet
    self.promptDigest = promptDigest
    self.promptCount = promptCount
    self.feature = feature
    self.sign = sign
    self.signChoice = signChoice
    self.calibration = calibration
    self.recipe = recipe
    self.grid = grid
    self.topN = topN
    self.images = images
    self.imageDigest = imageDigest
    self.width = width
    self.presampling = presampling
    self.shard = shard
  }

  /// Bytes of a word index in the records: the fewest that number all words.
  package var indexBytes: Int {
    wordCount <= 1 << 16 ? 2 : wordCount <= 1 << 24 ? 3 : 4
  }

  /// The pictures of this file.
  package var range: Range<Int> { shard?.range(of: images) ?? 0..<images }

  /// Longest header that is read.
  static let maximumBytes = 1 << 20
}

extension LabelHeader {
  /// The header as JSON.
  package var json: JSONValue {
    var fields: [(key: String, value: JSONValue)] = [
      ("kind", .string(presampling == nil ? "full" : "presampled")),
      (
        "encoder",
        [
          "family": .string(encoderName), "sha256": .string(encoderDigest),
          "weights": .string(weights), "joint_width": .number(JSONNumber(width)),
        ]
      ),
      (
        "vocabulary",
        ["words": .number(JSONNumber(wordCount)), "sha256": .string(wordDigest)]
      ),
      (
        "prompt_set",
        [
          "name": .string(promptSet), "sentences": .number(JSONNumber(promptCount)),
          "sha256": .string(promptDigest),
        ]
      ),
      ("feature", feature),
      ("sign", .string(sign.rawValue)),
      ("sign_choice", .string(signChoice)),
      (
        "calibration",
        calibration.map { calibration in
          [
            "pairs": .number(JSONNumber(calibration.pairs)),
            "caption_words": .number(JSONNumber(calibration.words)),
            "mean_rank_positive": .number(JSONNumber(calibration.positive)),
            "mean_rank_negative": .number(JSONNumber(calibration.negative)),
          ]
        } ?? .null
      ),
      ("recipe", recipe.json),
      ("grid", [.number(JSONNumber(grid.rows)), .number(JSONNumber(grid.columns))]),
      ("top_n", .number(JSONNumber(topN))),
      ("score", "code times the record's scale"),
      ("index_bytes", .number(JSONNumber(indexBytes))),
      (
        "images",
        ["count": .number(JSONNumber(images)), "sha256": .string(imageDigest)]
      ),
    ]
    if let presampling {
      fields.append(
        (
          "presampled",
          [
            "window": .number(JSONNumber(presampling.window)),
            // A string: a JSON number beyond 2⁵³ does not survive every reader.
            "seed": .string(String(presampling.seed)),
          ]
        )
      )
    }
    if let shard {
      fields.append(
        (
          "shard",
          [
            "index": .number(JSONNumber(shard.index)),
            "count": .number(JSONNumber(shard.count)),
          ]
        )
      )
    }
    return .object(JSONObject(fields))
  }

  /// Reads a header.
  ///
  /// - Throws: `LabelError.labelFile` naming the field that is wrong.
  package init(json: JSONValue, path: String) throws(LabelError) {
    let fields = HeaderFields(json: json, path: path)
    encoderName = try fields.text("encoder", "family")
    encoderDigest = try fields.digest("encoder", "sha256")
    weights = try fields.text("encoder", "weights")
    width = try fields.int("encoder", "joint_width", in: 1...65_536)
    wordCount = try fields.int("vocabulary", "words", in: 1...WordList.limit)
    wordDigest = try fields.digest("vocabulary", "sha256")
    promptSet = try fields.text("prompt_set", "name")
    promptDigest = try fields.digest("prompt_set", "sha256")
    promptCount = try fields.int("prompt_set", "sentences", in: 1...PromptSet.limit)
    feature = try fields.value("feature")
    guard let sign = ScoreSign(rawValue: try fields.text("sign")) else {
      throw fields.wrong("sign", "expected pos or neg")
    }
    self.sign = sign
    signChoice = try fields.text("sign_choice")
    calibration = nil
    if let value = json["calibration"], !value.isNull {
      calibration = SignCalibration(
        pairs: try fields.int("calibration", "pairs", in: 1...1 << 40),
        words: try fields.int("calibration", "caption_words", in: 1...1 << 40),
        positive: try fields.number("calibration", "mean_rank_positive"),
        negative: try fields.number("calibration", "mean_rank_negative")
      )
    }
    let recipe = try fields.value("recipe")
    do throws(ModelError) {
      self.recipe = try ImageRecipe(json: recipe)
    } catch {
      throw fields.wrong("recipe", "\(error)")
    }
    guard let sides = json["grid"]?.array, sides.count == 2, let rows = sides[0].int,
      let columns = sides[1].int, (1...LabelGrid.maximumSide).contains(rows),
      (1...LabelGrid.maximumSide).contains(columns)
    else {
      throw fields.wrong("grid", "expected two sides of 1 to \(LabelGrid.maximumSide)")
    }
    grid = LabelGrid(rows: rows, columns: columns)
    topN = try fields.int("top_n", in: 1...Matcher.maximumTopN)
    images = try fields.int("images", "count", in: 0...1 << 32)
    imageDigest = try fields.digest("images", "sha256")
    presampling = nil
    if json["presampled"] != nil {
      guard let seed = UInt64(try fields.text("presampled", "seed")) else {
        throw fields.wrong("presampled.seed", "expected digits")
      }
      let window = try fields.int("presampled", "window", in: 1...Presampling.maximumWindow)
      presampling = Presampling(window: window, seed: seed)
    }
    shard = nil
    if json["shard"] != nil {
      let count = try fields.int("shard", "count", in: 1...LabelShard.maximum)
      shard = LabelShard(index: try fields.int("shard", "index", in: 1...count), count: count)
    }
    guard try fields.text("kind") == (presampling == nil ? "full" : "presampled") else {
      throw fields.wrong("kind", "expected full, or presampled with a window and a seed")
    }
    guard try fields.int("index_bytes", in: 2...4) == indexBytes else {
      throw fields.wrong("index_bytes", "expected \(indexBytes) for \(wordCount) words")
    }
  }

  /// The first field in which two headers differ, shards aside.
  package func difference(
    from other: LabelHeader
  ) -> (field: String, own: String, other: String)? {
    var (left, right) = (self, other)
    left.shard = nil
    right.shard = nil
    let (mine, its) = (left.json.object ?? JSONObject(), right.json.object ?? JSONObject())
    for key in mine.keys + its.keys.filter({ mine[$0] == nil }) where mine[key] != its[key] {
      return (key, mine[key]?.serialized() ?? "absent", its[key]?.serialized() ?? "absent")
    }
    return nil
  }
}

/// Fields of a header, one or two levels deep.
private struct HeaderFields {
  let json: JSONValue
  let path: String

  func wrong(_ field: String, _ problem: String) -> LabelError {
    .labelFile(path: path, problem: "header: \(field): \(problem)")
  }

  func value(_ names: String...) throws(LabelError) -> JSONValue {
    try find(names)
  }

  func text(_ names: String...) throws(LabelError) -> String {
    guard let text = try find(names).string, text.utf8.count <= 4096 else {
      throw wrong(names.joined(separator: "."), "expected a text")
    }
    return text
  }

  func digest(_ names: String...) throws(LabelError) -> String {
    guard let text = try find(names).string, text.utf8.count == 64 else {
      throw wrong(names.joined(separator: "."), "expected 64 hexadecimal digits")
    }
    return text
  }

  func int(_ names: String..., in range: ClosedRange<Int>) throws(LabelError) -> Int {
    guard let value = try find(names).int, range.contains(value) else {
      throw wrong(
        names.joined(separator: "."),
        "expected a whole number from \(range.lowerBound) to \(range.upperBound)"
      )
    }
    return value
  }

  func number(_ names: String...) throws(LabelError) -> Double {
    guard let value = try find(names).double else {
      throw wrong(names.joined(separator: "."), "expected a number")
    }
    return value
  }

  private func find(_ names: [String]) throws(LabelError) -> JSONValue {
    var value = json
    for name in names {
      guard let next = value[name] else { throw wrong(names.joined(separator: "."), "is missing") }
      value = next
    }
    return value
  }
}
