// SPDX-License-Identifier: Apache-2.0
// AdamW, clipping and schedule against PyTorch's numbers; the same bits for any number of threads.

import Foundation
import SEAFormat
import SEATensor
import SEATrainer
import TestSupport
import Testing

@Suite struct OptimizerTests {
  static let names = ["0.weight", "0.bias", "2.weight", "2.bias"]

  private func floats(_ file: SafetensorsFile, _ name: String) throws -> [Float] {
    let bytes = try file.bytes(of: name)
    return (0..<bytes.count / 4).map {
      Float(bitPattern: bytes.loadLittleEndian(at: $0 * 4, as: UInt32.self))
    }
  }

  @Test(.enabled(if: Fixtures.hasShared), arguments: ["wd0", "wd01"], [1, 2])
  func followsPyTorch(run: String, threads: Int) throws {
    let folder = try #require(Fixtures.shared) + "/sea/adamw"
    let file = try SafetensorsFile(path: folder + "/reference.safetensors")
    let text = try #require(FileManager.default.contents(atPath: folder + "/settings.json"))
    let settings = try #require(try JSONScanner.parse(Array(text))[run])
    let total = try #require(settings["total_steps"]?.int)
    let peak = try #require(settings["lr"]?.double)
    let decay = try #require(settings["weight_decay"]?.double)
    let schedule = Schedule(shape: .cosine, totalSteps: total, warmup: 0.03)
    #expect(schedule.warmupSteps == settings["warmup_steps"]?.int)
    for (step, rate) in try floats(file, "\(run).lr").enumerated() {
      #expect(abs(schedule.factor(at: step) * peak - Double(rate)) <= 1e-9)
    }
    var tensors: [OwnTensor] = []
    for name in Self.names {
      let shape = try file.tensor("\(run).init.\(name)").shape
      let values = try floats(file, "\(run).init.\(name)")
      tensors.append(try OwnTensor(name, values: values, columns: shape.last ?? 1))
    }
    let store = try ParameterStore(
      groups: [ParameterGroup(name: "all", learningRate: peak, weightDecay: decay)],
      tensors.map { ($0, 0) }
    )
    let pool = WorkerPool(threads: threads)
    let optimizer = AdamW(AdamWOptions(), seed: 0)
    let norms = try floats(file, "\(run).grad_norm")
    for step in 0..<5 {
      for tensor in tensors {
        let gradient = try floats(file, "\(run).step\(step).grad.\(tensor.name)")
        try #require(tensor.gradient).copy(from: gradient)
      }
      let norm = store.gradientNorm()
      #expect(abs(norm - Double(norms[step])) <= 1e-6 * norm)
      optimizer.step(store, step: step, rate: schedule.factor(at: step), norm: norm, on: pool)
      for tensor in tensors {
        let expected = try floats(file, "\(run).step\(step).weight.\(tensor.name)")
        let found = tensor.values.array()
        let error = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= 1e-6, "\(run) step \(step) \(tensor.name): \(error)")
      }
    }
    for (parameter, name) in zip(store.parameters, Self.names) {
      guard case .float32(let mean, let square) = parameter.moments else {
        Issue.record("f32 moments are expected")
        continue
      }
      for (prefix, found) in [("exp_avg", mean), ("exp_avg_sq", square)] {
        let expected = try floats(file, "\(run).step4.\(prefix).\(name)")
        let error = zip(found.array(), expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= 1e-6)
      }
    }
  }

  @Test func warmsUpAndFallsToZero() {
    let schedule = Schedule(shape: .cosine, totalSteps: 200, warmup: 0.03)
    #expect(schedule.warmupSteps == 6)
    #expect(schedule.factor(at: 0) == 0)
    #expect(schedule.factor(at: 3) == 0.5)
    #expect(schedule.factor(at: 6) == 1)
    #expect(abs(schedule.factor(at: 103) - 0.5) < 1e-12)
    #expect(schedule.factor(at: 200) < 1e-12)
    #expect(Schedule(shape: .constant, totalSteps: 9, warmup: 0).factor(at: 0) == 1)
  }

  /// A bf16 value far above its step must still move by the right amount on average.
  @Test func roundsBFloat16WithoutBias() throws {
    let tensor = try HalfTensor(count: 4096, value: 1)
    let store = try ParameterStore(
      groups: [ParameterGroup(name: "all", learningRate: 1e-4, weightDecay: 0)],
      [(tensor, 0)]
    )
    let optimizer = AdamW(AdamWOptions(), seed: 3)
    for step in 0..<50 {
      tensor.gradient?.fill(1e-3)
      optimizer.step(store, step: step, rate: 1, norm: 0.05, on: WorkerPool(threads: 1))
    }
    let values = tensor.values.array().map { Double(Float(bitPattern: UInt32($0) << 16)) }
    let mean = values.reduce(0, +) / Double(values.count)
    // Fifty steps of 1e-4; the spacing below 1 is 2⁻⁸, so one value's error is at most that.
    #expect(abs(mean - (1 - 50 * 1e-4)) < 6 * 0.00390625 / 64)
  }

  @Test func clipsOnlyAboveTheLimit() {
    let optimizer = AdamW(AdamWOptions(), seed: 0)
    #expect(optimizer.clipFactor(norm: 0.5) == 1)
    #expect(abs(optimizer.clipFactor(norm: 4) - 0.25) < 1e-6)
    var options = AdamWOptions()
    options.clipNorm = 0
    #expect(AdamW(options, seed: 0).clipFactor(norm: 4) == 1)
  }

  @Test func refusesToTrainNothing() {
    #expect(throws: TrainerError.self) { try ParameterStore(groups: [], []) }
  }
}

/// A bf16 tensor.
private final class HalfTensor: TrainedTensor {
  let name = "half"
  let rows = 1
  let columns: Int
  let values: MatrixView<UInt16>
  let gradient: MatrixView<Float>?

  init(count: Int, value: Float) throws {
    columns = count
    values = try MatrixView(
      [UInt16](repeating: UInt16(value.bitPattern >> 16), count: count),
      columns: count
    )
    gradient = try MatrixView(rows: 1, columns: count)
  }

  var shape: [Int] { [columns] }
  var trainedValues: TrainedValues { .bfloat16(values) }
  func makeGradient() {}
  func zeroGradient() { gradient?.fill(0) }
}
