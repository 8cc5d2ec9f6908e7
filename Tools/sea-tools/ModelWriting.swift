// SPDX-License-Identifier: Apache-2.0
// What `convert` and `quantize` share: write, judge, account.

import SEACommandLine
import SEAFormat
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import SEAText

/// A model file to be written from a source of weights.
struct ModelWriting {
  let source: any WeightSource
  let tokenizer: TokenizerTables?
  let provenance: JSONObject
  let target: TargetOptions
  let kernels: Kernels
  let threads: Int
  /// Print the error of every tensor.
  var listsErrors = false
  /// Compares file and source on pictures.
  var quality: QualityOptions?

  /// Writes the file, judges it, and prints the account.
  ///
  /// - Parameters:
  ///   - schema: names the account's form.
  ///   - fields: what the command knows beyond writing and judging.
  ///   - console: where the account goes.
  /// - Throws: `CommandError` (2) when the verdict is that the file does not follow its source.
  func run(
    schema: String,
    fields: [(key: String, value: JSONValue)],
    _ console: Console
  ) throws {
    // The threads of writing and of judging are the same.
    let execution = Execution(kernels: kernels, threads: threads)
    // What is refused is refused before hours of writing.
    try quality?.checkInputs()
    let report = try write(console, on: execution)
    let verdict = target.omitsVerdict ? nil : try judge(console, on: execution)
    var fields = fields + [("output", .string(target.path)), ("quantization", report.json)]
    if let verdict { fields.append(("parity", verdict.json)) }
    var lines = listsErrors ? [report.text()] : []
    lines.append(summary(report))
    if let verdict { lines.append(verdict.text) }
    let costs = try quality?.compare(source: source, path: target.path, console, on: execution)
    if let costs {
      fields.append(("quality", costs.json))
      lines.append(costs.text)
    }
    if console.isVerbose, !listsErrors { console.terminal.note(report.text(limit: 20)) }
    try save(schema: schema, fields, report, verdict, costs)
    if console.isJSON {
      try console.output.object(schema: schema, fields)
    } else {
      for line in lines { try console.output.line(line) }
    }
    try console.output.flush()
    try quality?.check(costs, path: target.path)
    guard let verdict, !verdict.isGood else { return }
    throw CommandError(
      .gateFailed,
      "\(target.path.printable(limit: 4096)): does not follow its source: "
        + verdict.failures.joined(separator: ", ")
    )
  }

  /// How far the written file is from its source; nil where there is nothing to run.
  private func judge(_ console: Console, on execution: Execution) throws -> ParityVerdict? {
    let model = source.model
    guard model.encoder != nil || model.adapter != nil || model.language != nil else { return nil }
    let start = System.seconds
    let comparison = try ParityComparison(source: source, path: target.path, on: execution)
    do {
      return try comparison.run(
        progress: { done, total in
          console.terminal.progress(
            "judge",
            done: done,
            total: total,
            unit: { "\($0) blocks" },
            since: start
          )
        },
        isCancelled: { Interruption.status != nil }
      )
    } catch QuantizerError.cancelled {
      try Interruption.check()
      throw QuantizerError.cancelled
    }
  }

  /// The file, with progress; the file appears when it is complete.
  private func write(_ console: Console, on execution: Execution) throws -> QuantizationReport {
    let builder = ModelFileBuilder(
      source: source,
      tokenizer: tokenizer,
      policy: target.policy,
      provenance: .object(provenance),
      allowsNonFinite: target.allowsNonFinite,
      pool: execution.pool,
      kernels: kernels
    )
    let start = System.seconds
    do {
      return try builder.write(
        to: target.path,
        progress: { progress in
          console.terminal.progress(
            "write",
            done: progress.done,
            total: progress.total,
            unit: Quantity.bytes,
            since: start
          )
        },
        isCancelled: { Interruption.status != nil }
      )
    } catch QuantizerError.cancelled {
      try Interruption.check()
      throw QuantizerError.cancelled
    }
  }

  /// The account as a file of its own, where one was asked for: JSON, or Markdown by its name.
  private func save(
    schema: String,
    _ fields: [(key: String, value: JSONValue)],
    _ report: QuantizationReport,
    _ verdict: ParityVerdict?,
    _ costs: QualityReport?
  ) throws {
    guard let path = target.report else { return }
    let object = JSONObject([(key: "schema", value: .string(schema))] + fields)
    var text = JSONValue.object(object).serialized(pretty: true) + "\n"
    if path.hasSuffix(".md") {
      let parts: [String?] = [
        "# \(target.path.printable(limit: 4096))\n\n\(summary(report))\n",
        verdict.map { "\($0.text)\n" },
        costs.map { "## On \($0.pairs) pictures with prompts\n\n\($0.markdown)" },
        "## Tensors, worst first\n\n```\n\(report.text(limit: 30))```\n",
      ]
      text = parts.compactMap(\.self).joined(separator: "\n")
    }
    let file = try AtomicFile(path: path)
    try file.write(Array(text.utf8))
    try file.commit()
  }

  /// One line about the file.
  private func summary(_ report: QuantizationReport) -> String {
    let storages = report.totals.map { "\($0.storage) \(Quantity.bytes($0.bytes))" }
    let description = source.model
    let parts: [String?] = [
      tokenizer == nil ? nil : "tokenizer",
      description.encoder == nil ? nil : "vision",
      description.textTower == nil ? nil : "vtext",
      description.adapter == nil ? nil : "adapter",
      description.language == nil ? nil : "llm",
    ]
    return
      "\(target.path.printable(limit: 4096)): \(parts.compactMap(\.self).joined(separator: ", "))"
      + (storages.isEmpty ? "" : "; " + storages.joined(separator: ", "))
  }
}
