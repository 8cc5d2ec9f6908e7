// SPDX-License-Identifier: Apache-2.0
// The loss on text that is not trained on, and its log.

internal import SEAFormat
package import SEALayers

/// Measures a model on texts of their own.
package struct HeldOutText {
  /// A measurement.
  package struct Result: Sendable, Equatable {
    /// Mean over the counted tokens.
    package let loss: Double
    package let tokens: Int
  }

  private let samples: [TrainingSample]
  private let rows: Int

  /// The first pieces of a corpus.
  ///
  /// - Parameters:
  ///   - corpus: each piece is a sequence of its own.
  ///   - tokens: about so many are taken.
  ///   - rows: tokens that the model sees at a time.
  package init(_ corpus: TextCorpus, tokens: Int, rows: Int) {
    var samples: [TrainingSample] = []
    var taken = 0
    for piece in 0..<corpus.count where taken < tokens {
      let sample = corpus.sample(piece)
      guard sample.counted > 0 else { continue }
      samples.append(sample)
      taken += sample.ids.count
    }
    self.init(samples, rows: rows)
  }

  /// Some sequences.
  package init(_ samples: [TrainingSample], rows: Int) {
    self.samples = samples
    self.rows = rows
  }

  /// The mean loss; nothing of the model changes.
  ///
  /// - Throws: `LayerError`, or what `progress` throws.
  package func measure(
    _ model: TrainableModel,
    progress: () throws -> Void = {}
  ) throws -> Result {
    var (sum, tokens) = (0.0, 0)
    var start = 0
    while start < samples.count {
      var (end, held) = (start, 0)
      while end < samples.count, end == start || held + samples[end].ids.count <= rows {
        held += samples[end].ids.count
        end += 1
      }
      var pass = PassOptions()
      pass.runsBackward = false
      let result = try model.forwardBackward(Array(samples[start..<end]), pass: pass)
      for losses in result.tokenLosses { sum += losses.reduce(0.0) { $0 + Double($1) } }
      tokens += result.countedTokens
      start = end
      try progress()
    }
    return Result(loss: sum / Double(max(tokens, 1)), tokens: tokens)
  }
}

/// `heldout.jsonl` of a run folder: a line for each measurement.
package final class HeldOutLog {
  private let lines: LineLog

  /// Opens the log and forgets measurements after `step`, and of it, which will be made again.
  ///
  /// - Throws: `TrainerError`.
  package init(folder: RunFolder, from step: Int) throws(TrainerError) {
    let path = folder.file("heldout.jsonl")
    if Folders.isTaken(path) {
      let bytes = try FileText.read(path)
      var kept: [UInt8] = []
      for line in bytes.split(separator: 0x0a) {
        guard let json = try? JSONScanner.parse(Array(line)), let at = json["step"]?.int, at < step
        else { continue }
        kept += line + [0x0a]
      }
      if kept.count != bytes.count { try FileText.write(kept, to: path) }
    }
    lines = try LineLog(path: path)
  }

  /// Adds a measurement after `step` steps.
  ///
  /// - Throws: `TrainerError.file` when the disk is full.
  package func append(step: Int, _ result: HeldOutText.Result) throws(TrainerError) {
    let json: JSONValue = [
      "step": .number(JSONNumber(step)),
      "loss": result.loss.isFinite ? .number(JSONNumber(result.loss)) : .null,
      "tokens": .number(JSONNumber(result.tokens)),
    ]
    try lines.append(json.serialized())
  }
}
