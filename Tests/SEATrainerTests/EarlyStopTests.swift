// SPDX-License-Identifier: Apache-2.0
// Evaluations between steps: runs that end early keep the best state, stopped or not.

import Foundation
import SEATensor
import SEATrainer
import Testing

@Suite struct EarlyStopTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  /// A run of the toy whose evaluation loss falls until `lowest` and rises from there.
  ///
  /// - Returns: steps made, and the weights at the end.
  @discardableResult
  private func run(
    in name: String,
    lowest: Double = 10,
    patience: Int? = 2,
    resumes: Bool = false,
    stopAfter: Int? = nil
  ) throws -> (step: Int, weights: [Float]) {
    let task = try ToyTask()
    let store = try task.store()
    var options = RunOptions(schedule: Schedule(shape: .cosine, totalSteps: 40, warmup: 0.1))
    options.saveEvery = 7
    let run = TrainingRun(
      folder: try RunFolder(path: path(name), resumes: resumes),
      identity: RunIdentity([("data", "toy")]),
      store: store,
      options: options,
      on: WorkerPool(threads: 1)
    )
    run.evaluation = RunEvaluation(every: 5, patience: patience) { [unowned run] in
      abs(Double(run.step) - lowest) / 3
    }
    var observer = RunObserver()
    if let stopAfter { observer.isStopped = { [unowned run] in run.step >= stopAfter } }
    if resumes { _ = try run.resume(observer) }
    try run.run(task, observer)
    return (run.step, task.weight.values.array())
  }

  private func lines(_ name: String) throws -> [[String: Any]] {
    let data = try #require(FileManager.default.contents(atPath: path(name) + "/metrics.jsonl"))
    return try data.split(separator: 0x0a).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  @Test func endsEarlyWithTheBestState() throws {
    let early = try run(in: "early")
    #expect(early.step == 20)
    // The same steps without an end: what they are after the tenth is what was kept.
    let kept = try TensorFile(path: path("early/best/step-00000010/weights.safetensors"))
    #expect(early.weights == kept.floats("toy.weight"))
    let last = try TensorFile(path: path("early/checkpoints/step-00000020/weights.safetensors"))
    #expect(early.weights != last.floats("toy.weight"))
    let found = try lines("early")
    #expect(found.count == 20)
    for line in found {
      let step = try #require(line["step"] as? Int)
      #expect((line["eval_loss"] as? Double) == (step % 5 == 0 ? abs(Double(step) - 10) / 3 : nil))
    }
    let svg = try String(contentsOfFile: path("early/curves.svg"), encoding: .utf8)
    #expect(svg.contains("eval_loss"))
  }

  @Test func evaluatesWithoutEndingWhereNobodyAsks() throws {
    let whole = try run(in: "whole", patience: nil)
    #expect(whole.step == 40)
    #expect(!FileManager.default.fileExists(atPath: path("whole/best")))
    try ToyRun(seed: "1").run(in: path("plain"))
    let (found, plain) = (
      try TensorFile(path: path("whole/checkpoints/step-00000040/weights.safetensors")),
      try TensorFile(path: path("plain/checkpoints/step-00000040/weights.safetensors"))
    )
    #expect(found.floats("toy.weight") == plain.floats("toy.weight"))
  }

  @Test(arguments: [[3], [10], [11, 16], [15, 19], [20]])
  func decidesTheSameWhenItWasStopped(stops: [Int]) throws {
    let whole = try run(in: "whole")
    for (index, stop) in stops.enumerated() where stop < 20 {
      #expect(throws: TrainerError.interrupted(step: stop)) {
        try run(in: "parts", resumes: index > 0, stopAfter: stop)
      }
    }
    let parts = try run(in: "parts", resumes: true)
    #expect(parts.step == whole.step && parts.weights == whole.weights)
    #expect(try folder.files(in: "parts/best") == folder.files(in: "whole/best"))
    let again = try run(in: "parts", resumes: true)
    #expect(again.step == 20 && again.weights == whole.weights)
  }

  @Test func refusesADamagedBestState() throws {
    try run(in: "a")
    let weights = path("a/best/step-00000010/weights.safetensors")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: weights))
    bytes[bytes.count - 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: weights))
    #expect(throws: TrainerError.self) { try run(in: "a", resumes: true) }
  }
}
