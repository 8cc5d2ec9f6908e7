// SPDX-License-Identifier: Apache-2.0
// Options about the data of a run: records, pictures, batches, cached features.

import ArgumentParser
import SEACommandLine
import SEADataset
import SEATrainer

struct DataArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records: JSON or JSON lines.", valueName: "file"),
    transform: Checked.text
  )
  var data: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder that the pictures lie in.", valueName: "folder"),
    transform: Checked.text
  )
  var images: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Conversation template (default: plain; finetune: the model's).",
      valueName: "name"
    ),
    transform: Checked.text
  )
  var template: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Samples of a micro-batch (default: 32; finetune: 16).", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var batch: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Micro-batches of a step.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var accumulate = 8

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Sequences in the language model at a time.", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var sequences = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Times that every record is seen.", valueName: "n"),
    transform: Checked.integer(1...100_000)
  )
  var epochs = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Samples together: none (at random) or modality (default: none; finetune: modality).",
      valueName: "rule"
    ),
    transform: Checked.choice(BatchGrouping.allCases.map { ($0.rawValue, $0) })
  )
  var groupBy: BatchGrouping?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The loss is a mean over the targets of a micro or a step.", valueName: "n"),
    transform: Checked.choice(TokenMean.allCases.map { ($0.rawValue, $0) })
  )
  var tokenMean = TokenMean.micro

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Rows of the longest sequence.", valueName: "n"),
    transform: Checked.integer(1...1_000_000)
  )
  var maxLength = 2048

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Longer ones: skip or cut.", valueName: "rule"),
    transform: Checked.choice(LongSamples.allCases.map { ($0.rawValue, $0) })
  )
  var long = LongSamples.skip

  @Flag(help: "Leave out records that cannot be used instead of refusing the data.")
  var skipBad = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pictures that may fail while training.", valueName: "n"),
    transform: Checked.integer(0...1_000_000_000)
  )
  var maxBadImages = 100

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Folder for the features of pictures, or off (default: features in the run's folder).",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var featureCache: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How features are kept: f32 or f16 (default: as --frozen).",
      valueName: "type"
    ),
    transform: Checked.choice(FeatureStorage.allCases.map { ($0.rawValue, $0) })
  )
  var featureType: FeatureStorage?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Most bytes that a run adds to the features' folder.", valueName: "size"),
    transform: Checked.memory
  )
  var featureCacheSize: Int?

  /// Settings into those of the stage, with its own defaults.
  func apply(to options: inout StageOneOptions, batch size: Int, grouping: BatchGrouping) {
    options.batch = batch ?? size
    options.accumulate = accumulate
    options.sequences = sequences
    options.epochs = epochs
    options.grouping = groupBy ?? grouping
    options.tokenMean = tokenMean
    options.maxLength = maxLength
    options.longSamples = long
    options.maxBadImages = maxBadImages
  }

  /// Names and values for a run's identity; the arguments are what holds where nothing is said.
  func identity(
    template name: String,
    batch: Int,
    grouping: BatchGrouping
  ) -> [(name: String, value: String)] {
    [
      ("template", template ?? name), ("batch", "\(batch)"), ("accumulate", "\(accumulate)"),
      ("sequences", "\(sequences)"), ("epochs", "\(epochs)"), ("group-by", grouping.rawValue),
      ("token-mean", tokenMean.rawValue), ("max-length", "\(maxLength)"), ("long", long.rawValue),
      ("skip-bad", "\(skipBad)"),
    ]
  }
}
