// SPDX-License-Identifier: Apache-2.0
// Options of contrastive training: shapes of the towers, data, masks, the probe.

import ArgumentParser
import SEACommandLine
import SEALayers
import SEAModel
import SEATrainer

struct TowerArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Loss and form of the model: clip or siglip.", valueName: "name"),
    transform: Checked.choice(ContrastiveKind.allCases.map { ($0.rawValue, $0) })
  )
  var loss: ContrastiveKind

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the tokenizer (default: that of --init).", valueName: "folder"),
    transform: Checked.text
  )
  var tokenizer: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Start from a CLIP or SigLIP model instead of chance.", valueName: "folder"),
    transform: Checked.text
  )
  var `init`: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Side of pictures in pixels (default: 112).", valueName: "n"),
    transform: Checked.integer(1...1024)
  )
  var imageSize: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Side of patches in pixels (default: 14).", valueName: "n"),
    transform: Checked.integer(1...1024)
  )
  var patchSize: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width of the vision encoder (default: 192).", valueName: "n"),
    transform: Checked.integer(1...8192)
  )
  var visionHidden: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Its blocks (default: 6).", valueName: "n"),
    transform: Checked.integer(1...256)
  )
  var visionLayers: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Its heads (default: 3).", valueName: "n"),
    transform: Checked.integer(1...256)
  )
  var visionHeads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width of its MLPs (default: 4 · width).", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var visionIntermediate: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width of the text tower (default: 128).", valueName: "n"),
    transform: Checked.integer(1...8192)
  )
  var textHidden: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Its blocks (default: 3).", valueName: "n"),
    transform: Checked.integer(1...256)
  )
  var textLayers: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Its heads (default: 2).", valueName: "n"),
    transform: Checked.integer(1...256)
  )
  var textHeads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Width of its MLPs (default: 4 · width).", valueName: "n"),
    transform: Checked.integer(1...65_536)
  )
  var textIntermediate: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Longest text in tokens (default: 24).", valueName: "n"),
    transform: Checked.integer(3...1024)
  )
  var textLength: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Width of the joint space (default: 128; siglip: that of the encoder).",
      valueName: "n"
    ),
    transform: Checked.integer(1...8192)
  )
  var projection: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Operands of products: bf16 or f32.", valueName: "type"),
    transform: Checked.choice(ProductPrecision.allCases.map { ($0.rawValue, $0) })
  )
  var precision = ProductPrecision.bfloat16

  func validate() throws {
    guard tokenizer != nil || self.`init` != nil else {
      throw ValidationError("missing '--tokenizer <folder>', the tokenizer of the text tower")
    }
  }
}

struct PairArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records with pictures and captions: JSON or lines.", valueName: "file"),
    transform: Checked.text
  )
  var data: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder that the pictures lie in.", valueName: "folder"),
    transform: Checked.text
  )
  var images: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Beside a picture: its whole caption, a phrase or mixed.",
      valueName: "what"
    ),
    transform: Checked.choice(CaptionUse.allCases.map { ($0.rawValue, $0) })
  )
  var captions = CaptionUse.mixed

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pictures of a step.", valueName: "n"),
    transform: Checked.integer(2...65_536)
  )
  var batch = 64

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Times that every picture is seen, without --steps.", valueName: "n"),
    transform: Checked.integer(1...100_000)
  )
  var epochs = 1

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
    help: ArgumentHelp("Prepared pictures kept in memory, at most.", valueName: "size"),
    transform: Checked.memory
  )
  var imageMemory = 2 << 30

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Peak rate of scale and bias (default: 10 · --lr).", valueName: "x"),
    transform: Checked.number(0...1, expected: "a learning rate from 0 to 1")
  )
  var scaleLr: Double?
}

struct MaskArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What patches show, as sea world --masks writes it; adds the loss of patches.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var masks: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight of the loss of patches.", valueName: "x"),
    transform: Checked.number(0...1e4, expected: "a weight from 0 to 10000")
  )
  var denseWeight = 1.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight of patches that show mere ground.", valueName: "x"),
    transform: Checked.number(0...1, expected: "a weight from 0 to 1")
  )
  var groundWeight = 0.2

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight of patches that show a mark, as a digit.", valueName: "x"),
    transform: Checked.number(0...1e4, expected: "a weight from 0 to 10000")
  )
  var markWeight = 1.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Word list; those of its words that no caption and no mask has are set against patches.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var words: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Such words in a step.", valueName: "n"),
    transform: Checked.integer(0...65_536)
  )
  var distractors = 128

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Records that are not trained on, for the probe.", valueName: "file"),
    transform: Checked.text
  )
  var evalData: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Their masks.", valueName: "file"),
    transform: Checked.text
  )
  var evalMasks: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Their pictures (default: --images).", valueName: "folder"),
    transform: Checked.text
  )
  var evalImages: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps between two probes.", valueName: "n"),
    transform: Checked.integer(1...1_000_000_000)
  )
  var evalEvery = 200

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Pictures of a probe.", valueName: "n"),
    transform: Checked.integer(1...100_000)
  )
  var evalCount = 256

  func validate() throws {
    guard (evalData == nil) == (evalMasks == nil) else {
      throw ValidationError("--eval-data and --eval-masks go together")
    }
    guard words == nil || masks != nil || evalData != nil else {
      throw ValidationError("--words needs --masks: words are set against patches")
    }
  }
}
