// SPDX-License-Identifier: Apache-2.0
// Options about the model that every stage has: its parts, and how they are held.

import ArgumentParser
import SEACheckpoint
import SEACommandLine
import SEALayers
import SEATrainer

/// Parts beside the language model.
struct PartArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Folder of the vision encoder.", valueName: "folder"),
    transform: Checked.text
  )
  var vision: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Start from the adapter of a file.", valueName: "file"),
    transform: Checked.text
  )
  var adapterInit: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Image recipe (default: the encoder's own).", valueName: "name"),
    transform: Checked.text
  )
  var recipe: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Hidden state that feeds the adapter (default: -2).", valueName: "n"),
    transform: Checked.integer(-1024...1024)
  )
  var selectLayer: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Scale of Gemma's visual tokens: auto, sqrt or one.", valueName: "rule"),
    transform: Checked.choice(VisualScaleChoice.allCases.map { ($0.rawValue, $0) })
  )
  var visualScale = VisualScaleChoice.automatic

  /// The caller's decisions about the checkpoint.
  var sourceOptions: SourceOptions {
    var options = SourceOptions()
    options.visionFolder = vision
    options.adapterFile = adapterInit
    options.recipe = recipe
    options.selectLayer = selectLayer
    options.visualScale = visualScale
    return options
  }
}

/// Types of weights and products, and what is kept for the way back.
struct StorageArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Frozen weights: bf16, int8 or f32 (default: bf16; f32 with --replay).",
      valueName: "type"
    ),
    transform: Checked.choice(FrozenStorage.allCases.map { ($0.rawValue, $0) })
  )
  var frozen: FrozenStorage?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Operands of products: bf16 or f32 (default: f32 with f32 weights, else bf16).",
      valueName: "type"
    ),
    transform: Checked.choice(ProductPrecision.allCases.map { ($0.rawValue, $0) })
  )
  var precision: ProductPrecision?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Compute activations again on the way back: on, off or auto (by the memory plan).",
      valueName: "rule"
    ),
    transform: Checked.choice([("auto", Bool?.none), ("on", true), ("off", false)])
  )
  var checkpoint: Bool?
}
