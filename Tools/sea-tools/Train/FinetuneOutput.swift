// SPDX-License-Identifier: Apache-2.0
// What stage 2 leaves behind: a whole checkpoint, or factors with what was trained beside them.

import SEACheckpoint
import SEACommandLine
import SEAFormat
import SEALayers
import SEATensor
import SEAText
import SEATrainer

/// The result of a run in its folder.
struct FinetuneOutput {
  let folder: RunFolder
  let source: SourceModel
  /// Folder that the run started from.
  let path: String
  let visionPath: String?
  let tokenizer: Tokenizer
  let model: TrainableModel
  /// Layout of a whole checkpoint.
  let layout: ExportLayout

  /// Name of the result in the run's folder.
  var name: String { model.options.lowRank == nil ? "model" : "lora" }

  /// Refuses, before anything is trained, what could not be written.
  func check() throws {
    if let factors = factors() {
      try factors.check()
    } else {
      _ = try checkpoint()
    }
  }

  /// Writes the result; it appears when it is complete.
  func write(_ console: Console) throws {
    let target = folder.file(name)
    // A run that was complete before has its result: the same inputs make the same.
    guard System.kind(of: target) == nil else {
      console.terminal.note("\(target.printable(limit: 4096)) is there already")
      return
    }
    if let factors = factors() {
      try factors.write(to: target)
      return
    }
    let exporter = try checkpoint()
    _ = try exporter.write(to: target, console)
  }

  private func factors() -> LowRankExport? {
    guard let lowRank = model.options.lowRank else { return nil }
    let parameters = model.parameters
    return LowRankExport(
      model: source.model,
      baseFolder: System.absolute(path),
      visionFolder: visionPath.map { System.absolute($0) },
      rank: lowRank.rank,
      alpha: lowRank.alpha,
      dropout: lowRank.dropout,
      trained: Set(model.trained.map(\.name)),
      values: { parameters[$0]?.trainedValues.floats ?? [] }
    )
  }

  /// The exporter of the trained model; it reads what the parameters hold when it writes.
  private func checkpoint() throws -> CheckpointExporter {
    let weights = TrainedWeights(source, model.trained)
    let source = source
    return try CheckpointExporter(
      weights,
      layout: layout,
      path: path,
      tokenizer: tokenizer,
      tokenizerFolder: source.tokenizerFolder,
      storedType: { name in
        weights.isHalf(name).map { $0 ? .bfloat16 : .float32 } ?? source.part(name)?.storedType
      }
    )
  }
}
