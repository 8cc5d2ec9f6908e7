// SPDX-License-Identifier: Apache-2.0
// `sea eval`: asks a model a benchmark's questions, and scores answers by the benchmark's own rules.

import ArgumentParser
package import SEACommandLine
package import SEAEvaluator
import SEAFormat
import SEARuntime
import SEATensor
import SEAText

struct EvalCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Ask a model a benchmark's questions, and score the answers.",
    discussion: """
      Tasks: \(BenchmarkTask.allCases.map(\.rawValue).joined(separator: ", ")). \
      'sea eval score TASK --answers FILE' scores answers that are there already. --data is a folder \
      with the files' published names, or the question file. Answers are lines of JSON as LLaVA's \
      scripts write them; an interrupted run is continued by --resume. 'sea eval alignment MODEL' \
      measures how near visual tokens are to words: --data names records with captions.
      """
  )

  @Argument(
    help: ArgumentHelp(
      "The benchmark, or the word score before it, or alignment and a model file.",
      valueName: "task"
    )
  )
  var words: [String]

  @Option(help: ArgumentHelp("The model file.", valueName: "file"), transform: Checked.text)
  var model: String?

  @Option(
    help: ArgumentHelp("The benchmark's folder, or its question file.", valueName: "path"),
    transform: Checked.text
  )
  var data: String

  @Option(
    help: ArgumentHelp(
      "The ground truth's folder or file (default: beside the questions).",
      valueName: "path"
    ),
    transform: Checked.text
  )
  var annotations: String?

  @Option(
    help: ArgumentHelp("The folder of the pictures.", valueName: "folder"),
    transform: Checked.text
  )
  var images: String?

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The answer file to write.", valueName: "file"),
    transform: Checked.text
  )
  var path: String?

  @Option(help: ArgumentHelp("Answers to score.", valueName: "file"), transform: Checked.text)
  var answers: String?

  @Flag(help: "Continue an answer file that was interrupted.")
  var resume = false

  @Option(
    help: ArgumentHelp(
      "Another answer file to compare with, question by question.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var compare: String?

  @Option(
    help: ArgumentHelp("Write the figures as bars: SVG, or PNG for NAME.png.", valueName: "file"),
    transform: Checked.text
  )
  var chart: String?

  @Option(
    help: ArgumentHelp(
      "Write what the benchmark's server or grader takes; NAME.xlsx for a spreadsheet.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var submission: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Ask the first n questions only.", valueName: "n"),
    transform: Checked.integer(1...100_000_000)
  )
  var limit: Int?

  @Option(
    name: .customLong("max-tokens"),
    parsing: .unconditional,
    help: ArgumentHelp(
      "Longest answer in tokens (default: the benchmark's, 128 or 1024).",
      valueName: "n"
    ),
    transform: Checked.integer(1...1_048_576)
  )
  var maxTokens: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Positions to make room for (default: what the model says).",
      valueName: "n"
    ),
    transform: Checked.integer(1...16_777_216)
  )
  var context: Int?

  @Option(
    help: ArgumentHelp("Conversation template (default: the model's own).", valueName: "name")
  )
  var template: String?

  @Flag(help: "Put MMLU's questions as a conversation instead of plain text.")
  var chat = false

  @OptionGroup(title: "Alignment") var alignment: EvalAlignmentArguments
  @OptionGroup(title: "Machine") var compute: ComputeOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  private var isScoring: Bool { words.first == "score" }

  private var isAlignment: Bool { words.first == EvalAlignment.task }

  private var task: BenchmarkTask? {
    let names = isScoring ? words.dropFirst() : words[...]
    return names.count == 1 ? names.first.flatMap(BenchmarkTask.init) : nil
  }

  func validate() throws {
    guard !isAlignment else { return try validateAlignment() }
    guard !alignment.isGiven else {
      throw ValidationError("--words, --labels and --masks belong to the task alignment")
    }
    guard task != nil else {
      let names = BenchmarkTask.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("expected one task of \(names), or score before it")
    }
    if isScoring {
      guard answers != nil else { throw ValidationError("score needs --answers") }
      guard model == nil, path == nil, !resume else {
        throw ValidationError("--model, -o and --resume belong to asking, not to scoring")
      }
    } else {
      guard model != nil, path != nil else {
        throw ValidationError("asking needs --model and -o; 'score' before the task scores answers")
      }
      guard answers == nil else {
        throw ValidationError("--answers needs the word score before the task")
      }
    }
    let outputs = [path, chart, submission].compactMap(\.self)
    for (index, output) in outputs.enumerated()
    where outputs[..<index].contains(where: { System.isSamePlace($0, output) }) {
      throw ValidationError("two outputs name the same file: \(output.printable(limit: 4096))")
    }
  }

  private func validateAlignment() throws {
    guard words.count == (model == nil ? 2 : 1), images != nil else {
      throw ValidationError("alignment needs a model file, --data and --images")
    }
    let given: [(name: String, isGiven: Bool)] = [
      ("--annotations", annotations != nil), ("-o", path != nil), ("--answers", answers != nil),
      ("--resume", resume), ("--compare", compare != nil), ("--chart", chart != nil),
      ("--submission", submission != nil), ("--max-tokens", maxTokens != nil),
      ("--context", context != nil), ("--template", template != nil), ("--chat", chat),
    ]
    if let first = given.first(where: \.isGiven) {
      throw ValidationError("\(first.name) does not belong to alignment")
    }
  }

  func run(_ console: Console) throws {
    if isAlignment, let path = model ?? words.last, let images {
      return try EvalAlignment(
        model: path,
        data: data,
        images: images,
        arguments: alignment,
        limit: limit,
        execution: Execution(kernels: compute.kernels(), threads: compute.threadCount)
      ).run(console)
    }
    guard let task else { return }
    let benchmark = try task.open(BenchmarkFiles(data: data, truth: annotations), limit: limit)
    let source = answers ?? path ?? ""
    try refuse(source)
    let found =
      try answers.map { path in try AnswerRecord.read(path: path) } ?? ask(benchmark, console)
    if let submission {
      guard let file = try benchmark.submission(found, path: source) else {
        throw CommandError(.usage, "\(task.rawValue) has no server or grader to submit to")
      }
      try save(file.bytes(isSpreadsheet: submission.hasSuffix(".xlsx")), to: submission)
    }
    guard let evaluation = try benchmark.score(found, path: source) else {
      guard chart == nil, compare == nil, submission != nil || !isScoring else {
        throw CommandError(
          .missingInput,
          "\(data.printable(limit: 4096)): the ground truth of \(task.rawValue) is not there",
          hints: ["--annotations names it; --submission writes the server's file without it"]
        )
      }
      console.terminal.note("no ground truth is there: the answers were not scored")
      return
    }
    try report(evaluation, task: task, benchmark, source: source, console)
  }

  /// Refuses to write over what is read.
  private func refuse(_ source: String) throws {
    let inputs = [data, annotations, answers, compare, model].compactMap(\.self)
    for output in [path, chart, submission].compactMap(\.self) {
      if let input = inputs.first(where: { System.isSameFile($0, output) }) {
        throw CommandError(
          .usage,
          "\(output.printable(limit: 4096)): output and input \(input.printable(limit: 4096)) "
            + "are the same file"
        )
      }
    }
  }

  // MARK: - Asking

  private func ask(_ benchmark: any Benchmark, _ console: Console) throws -> [AnswerRecord] {
    guard let modelPath = model, let path else { return [] }
    let needsFolder = benchmark.questions.contains { question in
      if case .file = question.picture { true } else { false }
    }
    guard images != nil || !needsFolder else {
      throw CommandError(
        .usage,
        "the questions are about pictures in files",
        hints: ["--images names their folder"]
      )
    }
    let model = try Model(path: modelPath)
    let generator = try Generator(
      model,
      options: GeneratorOptions(context: context),
      on: Execution(kernels: compute.kernels(), threads: compute.threadCount)
    )
    let asker = Asker(
      generator,
      template: try template.map { try model.template(named: $0) },
      images: images,
      maxTokens: maxTokens,
      isChat: chat
    )
    let log = try AnswerLog(path: path, resumes: resume)
    let start = System.seconds
    let kept = log.found.count
    if kept > 0 { console.explain("\(kept) answers were there already") }
    let answers = try asker.answer(
      benchmark.questions,
      log: log,
      modelID: Self.name(modelPath),
      progress: { done, total in
        console.terminal.progress(
          "ask",
          done: done - kept,
          total: max(total - kept, 1),
          unit: { "\($0) questions" },
          since: start
        )
      },
      isCancelled: { Interruption.status != nil }
    )
    console.terminal.clearProgress()
    console.explain(
      "\(answers.count - kept) answers in \(Quantity.duration(System.seconds - start))"
    )
    return answers
  }

  /// A file's name without folder and ending.
  private static func name(_ path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
    return String(name[..<dot])
  }

  // MARK: - Reporting

  private func report(
    _ evaluation: Evaluation,
    task: BenchmarkTask,
    _ benchmark: any Benchmark,
    source: String,
    _ console: Console
  ) throws {
    var report = EvaluationReport(evaluation, name: Self.name(source))
    if let compare {
      let others = try AnswerRecord.read(path: compare)
      if let other = try benchmark.score(others, path: compare) {
        report.other = (Self.name(compare), other, Comparison(evaluation, other))
      }
    }
    if let chart {
      let isPNG = chart.lowercased().hasSuffix(".png")
      try BarChart(report).figure.save(to: chart, isPNG: isPNG)
    }
    if console.isJSON {
      try console.output.object(schema: "sea.eval/1", report.fields)
    } else {
      try console.output.line(report.text)
    }
  }

  private func save(_ bytes: [UInt8], to path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }
}

extension EvaluatorError: ExitStatusProviding {
  package var exitStatus: ExitStatus {
    switch self {
    case .file(let error): error.exitStatus
    case .format(let error): error.exitStatus
    case .runtime(let error): error.exitStatus
    case .image(let error): error.exitStatus
    case .record, .mismatch: .badData
    case .missingFile: .missingInput
    case .usage: .usage
    case .cancelled: Interruption.status ?? .failure
    }
  }
}
