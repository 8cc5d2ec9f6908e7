// SPDX-License-Identifier: Apache-2.0
// The whole path, from drawn scenes to scores, with the model of the repository.

import Foundation
import SEAEvaluator
import SEAFormat
import SEARuntime
import SEATensor
import SEAWorld
import TestSupport
import Testing

@Suite struct MiniatureTests {
  /// A small held-out world with benchmarks.
  private let world: TemporaryFolder

  init() throws {
    world = try TemporaryFolder()
    let options = WorldOptions(count: 12, seed: 1, split: .heldout, writesBenchmarks: true)
    let writer = WorldWriter(options, to: world.file("world"))
    _ = try writer.write(resumes: false, pool: WorkerPool(threads: 2))
  }

  private static let folders: [BenchmarkTask: String] = [
    .pope: "benchmarks/pope", .gqa: "benchmarks/gqa", .textvqa: "benchmarks/textvqa",
    .scienceqa: "benchmarks/scienceqa", .vqav2: "benchmarks/vqav2", .vizwiz: "benchmarks/vizwiz",
    .mmbench: "benchmarks/mmbench", .mmvet: "benchmarks/mm-vet", .mmlu: "benchmarks/mmlu",
    .world: ".",
  ]

  private func benchmark(_ task: BenchmarkTask, limit: Int? = nil) throws -> any Benchmark {
    let folder = try #require(Self.folders[task])
    return try task.open(BenchmarkFiles(data: world.file("world/\(folder)")), limit: limit)
  }

  private func asker(maxTokens: Int? = 4) throws -> Asker {
    let model = try Model(path: Fixtures.repository + "/Models/demo.sea")
    let generator = try Generator(
      model,
      on: Execution(kernels: try Kernels(named: nil), threads: 1)
    )
    return Asker(
      generator,
      template: nil,
      images: world.file("world/images"),
      maxTokens: maxTokens
    )
  }

  /// Right answers, taken from the files that the benchmark is scored by.
  private func rightAnswers(_ task: BenchmarkTask, _ benchmark: any Benchmark) throws -> [String] {
    let folder = world.file("world/" + (Self.folders[task] ?? ""))
    func json(_ name: String) throws -> JSONValue { try DataFile.json("\(folder)/\(name)") }
    func first(_ value: JSONValue?) -> String {
      // The answer that most people gave.
      let answers = (value?.array ?? []).compactMap { $0.string ?? $0["answer"]?.string }
      let counts = Dictionary(answers.map { ($0, 1) }, uniquingKeysWith: +)
      return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? ""
    }
    switch task {
    case .pope:
      return try ["random", "popular", "adversarial"].flatMap { category in
        try DataFile.lines("\(folder)/coco/coco_pope_\(category).json").map {
          $0["label"]?.string ?? ""
        }
      }
    case .gqa:
      return try json("testdev_balanced_questions.json").object?.entries
        .map { $0.value["answer"]?.string ?? "" } ?? []
    case .textvqa:
      return try json("TextVQA_0.5.1_val.json")["data"]?.array?.map { first($0["answers"]) } ?? []
    case .scienceqa:
      return try json("problems.json").object?.entries
        .map { ["A", "B", "C", "D"][$0.value["answer"]?.int ?? 0] } ?? []
    case .vqav2:
      return try json("v2_mscoco_val2014_annotations.json")["annotations"]?.array?
        .map { first($0["answers"]) } ?? []
    case .vizwiz: return try json("val.json").array?.map { first($0["answers"]) } ?? []
    case .mmbench:
      let table = try DataFile.table("\(folder)/mmbench_dev_20230712.tsv", separator: "\t")
      let column = table[0].firstIndex(of: "answer") ?? 0
      return table.dropFirst().map { $0[column] }
    case .mmvet:
      return try json("mm-vet.json").object?.entries.map { entry in
        (entry.value["answer"]?.string ?? "").replacingOccurrences(of: "<AND>", with: " and ")
      } ?? []
    case .mmlu:
      return try ["arithmetic", "facts"].flatMap { subject in
        try DataFile.table("\(folder)/test/harbour_\(subject)_test.csv", separator: ",").map {
          $0[5]
        }
      }
    case .world:
      return try DataFile.lines("\(folder)/questions.jsonl").map { $0["answer"]?.string ?? "" }
    }
  }

  @Test(arguments: BenchmarkTask.allCases)
  func rightAnswersScoreFully(_ task: BenchmarkTask) throws {
    let benchmark = try benchmark(task)
    let right = try rightAnswers(task, benchmark)
    try #require(right.count == benchmark.questions.count && !right.isEmpty)
    let folder = try TemporaryFolder()
    let lines = zip(benchmark.questions, right).map { question, answer -> String in
      let line: JSONValue = [
        "question_id": question.id, "prompt": .string(question.recordedPrompt),
        "text": .string(answer),
      ]
      return line.serialized() + "\n"
    }
    let answers = try AnswerRecord.read(path: folder.write(lines.joined(), to: "right.jsonl"))
    let evaluation = try #require(try benchmark.score(answers, path: "right.jsonl"))
    #expect(evaluation.missing == 0)
    let best = try #require(evaluation.metrics.first?.value)
    // People differ in two benchmarks, so that the best answer may have less than all of the score.
    #expect(task == .vqav2 || task == .vizwiz ? best > 0.9 : best == 1)
    let empty = try #require(try benchmark.score([], path: "nothing"))
    #expect(empty.missing == benchmark.questions.count)
    #expect(empty.metrics.first?.value == 0)
  }

  @Test(arguments: BenchmarkTask.allCases)
  func aModelIsAskedAndScored(_ task: BenchmarkTask) throws {
    let folder = try TemporaryFolder()
    let benchmark = try benchmark(task, limit: 3)
    let log = try AnswerLog(path: folder.file("answers.jsonl"), resumes: false)
    let answers = try asker().answer(benchmark.questions, log: log, modelID: "demo")
    #expect(answers.count == 3 && folder.names == ["answers.jsonl"])
    #expect(try AnswerRecord.read(path: folder.file("answers.jsonl")) == answers)
    let line = try #require(answers.first?.fields)
    for key in ["question_id", "prompt", "text", "answer_id", "model_id", "metadata"] {
      #expect(line[key] != nil)
    }
    #expect(Set(answers.map { $0.fields["answer_id"]?.string }).count == 3)
    let evaluation = try #require(try benchmark.score(answers, path: "answers.jsonl"))
    #expect(evaluation.missing == 0 && !evaluation.metrics.isEmpty)
    if task == .mmlu {
      #expect(answers.allSatisfy { ["A", "B", "C", "D"].contains($0.text) })
    }
  }

  @Test func anInterruptedRunContinuesToTheSameFile() throws {
    let benchmark = try benchmark(.world, limit: 9)
    let (whole, broken) = (try TemporaryFolder(), try TemporaryFolder())
    let log = try AnswerLog(path: whole.file("a.jsonl"), resumes: false)
    _ = try asker().answer(benchmark.questions, log: log, modelID: "demo")

    let path = broken.file("a.jsonl")
    var asked = 0
    let error = EvaluatorError.cancelled(done: 4, count: 9)
    #expect(throws: error) {
      try asker().answer(
        benchmark.questions,
        log: AnswerLog(path: path, resumes: false),
        modelID: "demo",
        isCancelled: {
          asked += 1
          return asked > 4
        }
      )
    }
    #expect(broken.names == ["a.jsonl.partial"])
    // Not continued by accident.
    #expect(throws: EvaluatorError.self) { try AnswerLog(path: path, resumes: false) }
    // A line that a crash has cut is asked again.
    let partial = try broken.read("a.jsonl.partial")
    try broken.write(
      String(decoding: partial.dropLast(20), as: UTF8.self),
      to: "a.jsonl.partial"
    )
    let again = try AnswerLog(path: path, resumes: true)
    #expect(again.found.count == 3)
    _ = try asker().answer(benchmark.questions, log: again, modelID: "demo")
    #expect(try broken.read("a.jsonl") == whole.read("a.jsonl"))
    #expect(broken.names == ["a.jsonl"])

    // A complete file needs no asking; another model's or another benchmark's answers are refused.
    let complete = try AnswerLog(path: path, resumes: true)
    #expect(complete.found.count == 9)
    #expect(throws: EvaluatorError.self) {
      try asker().answer(benchmark.questions, log: complete, modelID: "other")
    }
  }

  @Test func oneWriterAtATime() throws {
    let folder = try TemporaryFolder()
    let first = try AnswerLog(path: folder.file("a.jsonl"), resumes: true)
    #expect(throws: EvaluatorError.format(.busy(path: folder.file("a.jsonl")))) {
      try AnswerLog(path: folder.file("a.jsonl"), resumes: true)
    }
    try first.finish()
  }
}
