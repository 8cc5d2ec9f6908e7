// SPDX-License-Identifier: Apache-2.0
// A folder of a test's own and a model small enough to train in a moment.

import Foundation
import SEADataset
import SEATensor
import SEATrainer

/// A folder that goes when it is no longer needed.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "sea-trainer-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func files(in name: String) throws -> [String: Data] {
    let root = path + "/" + name
    var files: [String: Data] = [:]
    for file in try FileManager.default.subpathsOfDirectory(atPath: root) {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: root + "/" + file, isDirectory: &isFolder)
      if !isFolder.boolValue {
        files[file] = FileManager.default.contents(atPath: root + "/" + file)
      }
    }
    return files
  }
}

/// Linear regression on random points: y = W x, squared error, points drawn by the step.
final class ToyTask: TrainingTask {
  static let width = 24
  let weight: OwnTensor
  let bias: OwnTensor
  /// The gradient of this step becomes NaN.
  var poisonedStep: Int?
  var accumulated: [Int] = []

  init() throws {
    var random = CounterRandom(seed: 5, .initialization)
    weight = try OwnTensor(
      "toy.weight",
      values: (0..<Self.width * Self.width).map { _ in Float(random.unit() - 0.5) },
      columns: Self.width
    )
    bias = try OwnTensor(
      "toy.bias",
      values: [Float](repeating: 0, count: Self.width),
      columns: Self.width
    )
  }

  func store() throws -> ParameterStore {
    try ParameterStore(
      groups: [ParameterGroup(name: "toy", learningRate: 0.02, weightDecay: 0.01)],
      [(weight, 0), (bias, 0)]
    )
  }

  func accumulate(step: Int) throws -> StepLosses {
    accumulated.append(step)
    var random = CounterRandom(seed: 9, .windows, step)
    var losses = StepLosses()
    losses.batch = ["point \(step)"]
    losses.tokens = Self.width
    guard let slopes = weight.gradient, let offsets = bias.gradient else { return losses }
    let x = (0..<Self.width).map { _ in Float(random.unit() - 0.5) }
    for row in 0..<Self.width {
      var y = bias.values[0, row]
      for column in 0..<Self.width { y += weight.values[row, column] * x[column] }
      let error = y - 2 * x[(row + 1) % Self.width]
      losses.total += Double(error * error)
      for column in 0..<Self.width { slopes[row, column] += 2 * error * x[column] }
      offsets[0, row] += 2 * error
    }
    if step == poisonedStep { slopes[3, 4] = .nan }
    return losses
  }

  func didStep() {}
}

/// A run of the toy in a folder.
struct ToyRun {
  var total = 40
  var saveEvery = 7
  var keep = 3
  var seed = "1"
  var threads = 1

  func run(
    in path: String,
    resumes: Bool = false,
    stopAfter: Int? = nil,
    poisoned: Int? = nil,
    warn: @escaping (String) -> Void = { _ in },
    didStep: @escaping (StepRecord) -> Void = { _ in }
  ) throws {
    let folder = try RunFolder(path: path, resumes: resumes)
    let task = try ToyTask()
    task.poisonedStep = poisoned
    var options = RunOptions(schedule: Schedule(shape: .cosine, totalSteps: total, warmup: 0.1))
    options.saveEvery = saveEvery
    options.keep = keep
    let run = TrainingRun(
      folder: folder,
      identity: RunIdentity([("data", "toy"), ("seed", seed)]),
      store: try task.store(),
      options: options,
      on: WorkerPool(threads: threads)
    )
    var observer = RunObserver()
    observer.warn = warn
    var done = 0
    observer.didStep = { record in
      done = record.step
      didStep(record)
    }
    if let stopAfter { observer.isStopped = { done >= stopAfter } }
    if resumes { _ = try run.resume(observer) }
    try run.run(task, observer)
  }
}
