// SPDX-License-Identifier: Apache-2.0
// `sea train contrastive`: a vision encoder and a text tower from pictures and captions.

import ArgumentParser
import SEACommandLine
import SEATrainer

struct ContrastiveCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "contrastive",
    abstract: "Train a CLIP or SigLIP encoder with its text tower from pictures and captions.",
    discussion: """
      Starts from chance, or from --init. Pictures and their captions attract each other, others of the \
      step do not. With --masks each patch is also drawn to the words of what it shows: supervision that a \
      photo collection does not have. OUT/model is a checkpoint of Hugging Face's layout that sea label, \
      sea convert and sea train pretrain --vision take. After --loss clip with masks, labels are made by \
      sea label --feature raw --sign pos; after --loss siglip by sea label as it is.
      """
  )

  @OptionGroup(title: "Towers") var towers: TowerArguments
  @OptionGroup(title: "Data") var data: PairArguments
  @OptionGroup(title: "Patches") var masks: MaskArguments
  @OptionGroup(title: "Optimiser") var optimizer: OptimizerArguments
  @OptionGroup(title: "Run") var training: RunArguments
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard training.replay == nil else {
      throw ValidationError("--replay is for sea train pretrain and finetune")
    }
  }

  func run() throws {
    let console = Console(command: "sea train", options: output)
    defer { console.terminal.clearProgress() }
    try run(console)
    try console.output.flush()
  }

  func run(_ console: Console) throws {
    try ContrastiveSession(self, console).train()
  }

  /// Settings of the data and the losses.
  var options: ContrastiveOptions {
    var options = ContrastiveOptions()
    options.kind = towers.loss
    options.batch = data.batch
    options.captions = data.captions
    options.denseWeight = masks.masks == nil ? 0 : masks.denseWeight
    options.groundWeight = masks.groundWeight
    options.markWeight = masks.markWeight
    options.distractors = masks.distractors
    options.seed = training.seed
    options.maxBadImages = data.maxBadImages
    return options
  }

  /// Peak learning rates.
  var rates: ContrastiveRates {
    let rate = optimizer.lr ?? 1e-3
    return ContrastiveRates(
      towers: rate,
      scale: data.scaleLr ?? min(10 * rate, 1),
      weightDecay: optimizer.weightDecay
    )
  }
}
