// SPDX-License-Identifier: Apache-2.0
// Options of making labels: which features, words and scores, and where unfinished work is kept.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAImage
import SEALabels

struct LabelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Patch features: raw, maskclip, surgery or map_value (default: raw for CLIP, \
      map_value for SigLIP).
      """,
      valueName: "kind"
    ),
    transform: Checked.choice(FeatureKind.allCases.map { ($0.rawValue, $0) })
  )
  var feature: FeatureKind?

  @Flag(
    name: .customLong("drop-residual"),
    help: "With maskclip: leave out the last block's residual."
  )
  var dropsResidual = false

  @Flag(name: .customLong("drop-ffn"), help: "With maskclip: leave out the last block's MLP.")
  var dropsFeedForward = false

  @Flag(
    name: .customLong("feature-surgery"),
    help: "With surgery: take what all words share in a picture from their scores."
  )
  var removesRedundancy = false

  @Option(
    help: ArgumentHelp(
      """
      Sign of a score: auto (by the rank of caption words, else the table), neg or pos \
      (default: auto).
      """,
      valueName: "sign"
    ),
    transform: Checked.choice(SignChoice.allCases.map { ($0.rawValue, $0) })
  )
  var sign = SignChoice.automatic

  @Option(
    name: .customLong("top-n"),
    parsing: .unconditional,
    help: ArgumentHelp("Words of a patch at most (default: 10).", valueName: "n"),
    transform: Checked.integer(1...Matcher.maximumTopN)
  )
  var topN = 10

  @Option(
    name: .customLong("prompt-set"),
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Sentences around a word: bare, photo, surgery85 or a file with one '{}' a line \
      (default: bare).
      """,
      valueName: "name"
    ),
    transform: Checked.text
  )
  var promptSet = "bare"

  @Option(
    help: ArgumentHelp(
      """
      Image recipe: \(ImageRecipe.presetNames.joined(separator: ", ")) (default: what the encoder's \
      preprocessor says, the geometry of stage 1).
      """,
      valueName: "name"
    )
  )
  var recipe: String?

  @Option(
    help: ArgumentHelp(
      "How weights are stored: f32, bf16 or int8 (default: bf16).",
      valueName: "type"
    ),
    transform: Checked.choice(LabelWeights.allCases.map { ($0.rawValue, $0) })
  )
  var weights = LabelWeights.bfloat16

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Keep one drawn patch and word for each window of n × n patches.",
      valueName: "n"
    ),
    transform: Checked.integer(1...Presampling.maximumWindow)
  )
  var presample: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Seed of the draws of --presample (default: 0).", valueName: "n"),
    transform: Checked.seed
  )
  var seed: UInt64?

  @Option(
    help: ArgumentHelp("Label part i of n of the pictures only.", valueName: "i/n"),
    transform: LabelOptions.shard
  )
  var shard: LabelShard?

  @Flag(help: "Go on with unfinished labels of the same output.")
  var resume = false

  @Flag(
    name: .customLong("skip-bad"),
    help: "Leave out records, and labels of pictures, that cannot be used; their count is printed."
  )
  var skipsBad = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where compiled encoders and words are kept (default: sea in the user's cache folder).",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var cache: String?

  func validate() throws {
    guard !(dropsResidual || dropsFeedForward) || feature == .maskclip else {
      throw ValidationError("--drop-residual and --drop-ffn need --feature maskclip")
    }
    guard !removesRedundancy || feature == .surgery else {
      throw ValidationError("--feature-surgery needs --feature surgery")
    }
    guard !removesRedundancy || sign != .negative else {
      throw ValidationError("--feature-surgery has no negative sign")
    }
    guard seed == nil || presample != nil else {
      throw ValidationError("--seed needs --presample")
    }
  }

  /// The settings for an encoder.
  func settings(_ encoder: LabelEncoder) -> LabelSettings {
    var chosen = feature.map { LabelFeature($0) } ?? .standard(for: encoder.encoder)
    chosen.keepsResidual = !dropsResidual
    chosen.keepsFeedForward = !dropsFeedForward
    chosen.removesRedundancy = removesRedundancy
    var settings = LabelSettings(feature: chosen)
    settings.sign = sign
    settings.topN = topN
    settings.presampling = presample.map { Presampling(window: $0, seed: seed ?? 0) }
    settings.shard = shard
    settings.skipsBad = skipsBad
    settings.resumes = resume
    return settings
  }

  /// The cache: what was asked for, else the user's, else one for this process with a warning.
  func openCache(_ console: Console) throws -> LabelCache {
    if let cache { return try LabelCache(folder: cache) }
    let folders: [String?] = [
      System.environment("XDG_CACHE_HOME").flatMap { $0.hasPrefix("/") ? "\($0)/sea" : nil },
      System.environment("HOME").flatMap { $0.hasPrefix("/") ? "\($0)/.cache/sea" : nil },
    ]
    for folder in folders.compactMap(\.self) {
      if let cache = try? LabelCache(folder: folder) { return cache }
    }
    console.warn("no cache folder can be written to: words are placed again by the next run")
    let temporary = System.environment("TMPDIR").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    return try LabelCache(temporaryIn: temporary)
  }

  static let shard: @Sendable (String) throws -> LabelShard = { text in
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1],
      (1...LabelShard.maximum).contains(count), (1...count).contains(index)
    else { throw ValidationError("expected a part as 1/4, the first number not above the second") }
    return LabelShard(index: index, count: count)
  }
}
