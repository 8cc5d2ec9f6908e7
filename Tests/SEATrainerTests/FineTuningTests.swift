// SPDX-License-Identifier: Apache-2.0
// Tuning from a program: the folder it leaves, and the same bytes when it was stopped on the way.

import Foundation
import SEACheckpoint
import SEATrainer
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasShared)) struct FineTuningTests {
  private let folder: TemporaryFolder
  private let model: String
  private let images: String

  init() throws {
    folder = try TemporaryFolder()
    model = (Fixtures.shared ?? "") + "/mllm/sea-gemma-tiny/llava"
    images = (Fixtures.shared ?? "") + "/images"
    let lines = ["a cat", "some coffee", "two birds"].enumerated().map { index, answer in
      """
      {"id": "r\(index)", "image": "\(["cat_225x150.png", "coffee_120x150.png"][index % 2])", \
      "conversations": [{"from": "human", "value": "<image>\\nWhat is it?"}, {"from": "gpt", \
      "value": "\(answer)"}]}
      """
    }
    try Data(lines.joined(separator: "\n").utf8)
      .write(to: URL(fileURLWithPath: folder.path + "/data.jsonl"))
  }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  @Test func leavesAFineTuningThatMerges() throws {
    var options = FineTuning.Options()
    (options.rank, options.batch, options.accumulate, options.epochs) = (4, 1, 1, 4)
    (options.learningRate, options.hasByteMoments) = (1e-2, true)
    let tuning = try FineTuning(model: model, options: options)
    var losses: [Double] = []
    let data = path("data.jsonl")
    let made = try tuning.run(data: data, images: images, output: path("whole")) { step in
      losses.append(step.loss)
      #expect(step.total == 12 && step.number == losses.count && step.gradientNorm > 0)
      return true
    }
    #expect(losses.count == 12)
    #expect(losses.suffix(3).reduce(0, +) < losses.prefix(3).reduce(0, +))
    var merging = SourceOptions()
    merging.lowRankFolder = made
    #expect(try SourceModel(path: model, options: merging).model.language != nil)
    #expect(throws: TrainerError.interrupted(step: 5)) {
      try tuning.run(data: data, images: images, output: path("parts")) { $0.number < 5 }
    }
    let again = try FineTuning(model: model, options: options)
    try again.run(data: data, images: images, output: path("parts"))
    let (found, wanted) = (try folder.files(in: "parts/lora"), try folder.files(in: "whole/lora"))
    #expect(found == wanted && wanted.count == 4)
  }

  @Test func refusesSettingsOutOfRange() {
    var options = FineTuning.Options()
    options.rank = 0
    #expect(throws: TrainerError.self) { try FineTuning(model: model, options: options) }
    #expect(throws: CheckpointError.self) { try FineTuning(model: path("none")) }
  }
}
