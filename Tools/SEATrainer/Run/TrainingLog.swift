// SPDX-License-Identifier: Apache-2.0
// The log of a run: one JSON line a step, and the curves drawn from them.

internal import SEAFormat

/// `metrics.jsonl` and `curves.svg` of a run folder.
final class TrainingLog {
  private(set) var records: [StepRecord] = []
  private let folder: String
  private let lines: LineLog

  /// Opens the log and forgets what came after `step`, which will be done again.
  ///
  /// - Throws: `TrainerError`.
  init(folder: String, after step: Int) throws(TrainerError) {
    self.folder = folder
    let path = "\(folder)/metrics.jsonl"
    if Folders.isTaken(path) {
      let bytes = try FileText.read(path)
      var kept: [UInt8] = []
      for line in bytes.split(separator: 0x0a) {
        // A line that was cut short is not valid JSON and goes with the rest.
        guard let json = try? JSONScanner.parse(Array(line)), let record = StepRecord(json: json),
          record.step > (records.last?.step ?? 0), record.step <= step
        else { continue }
        records.append(record)
        kept += line + [0x0a]
      }
      if kept.count != bytes.count { try FileText.write(kept, to: path) }
    }
    lines = try LineLog(path: path)
  }

  /// Adds a step.
  ///
  /// - Throws: `TrainerError.file` when the disk is full.
  func append(_ record: StepRecord) throws(TrainerError) {
    records.append(record)
    try lines.append(record.json.serialized())
  }

  /// Draws the curves.
  ///
  /// - Throws: `TrainerError.format` when the disk is full.
  func draw() throws(TrainerError) {
    guard !records.isEmpty else { return }
    try FileText.write(Array(Curves.svg(records).utf8), to: "\(folder)/curves.svg")
  }
}
