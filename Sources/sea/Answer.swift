// SPDX-License-Identifier: Apache-2.0
// One answer on its way to standard output, with the time each step took.

import SEACommandLine
import SEAFormat
import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import SEAText

/// A prompt that is read and answered.
struct Answer {
  let generator: Generator
  /// The prompt's ids, `Prompt.imageID` in the place of each picture.
  let ids: [Int32]
  let console: Console

  /// Positions that one picture takes at most.
  private var imagePositions: Int { generator.model.description.visualTokens() }

  private func positions(images: Int) -> Int {
    ids.count - images + images * imagePositions
  }

  /// Refuses prompts that do not fit, before any work is done.
  ///
  /// - Throws: `CommandError` (64) with the numbers; `RuntimeError` when pictures cannot be read at all.
  func checkContext(images: Int) throws {
    if images > 0 {
      _ = try generator.model.requireEncoder()
      _ = try generator.model.requireAdapter()
    }
    let capacity = generator.context.cache.capacity
    let needed = positions(images: images)
    guard needed > capacity else { return }
    let parts =
      images > 0
      ? "\(ids.count - images) tokens and \(images) × \(imagePositions) image positions, "
      : ""
    throw CommandError(
      .usage,
      "the prompt takes \(parts)\(needed) positions, the context has \(capacity)",
      hints: ["--context makes room for more, up to what the model was made for"]
    )
  }

  /// Reads the prompt and streams the answer.
  ///
  /// - Throws: `OutputError` when the answer is lost, `CommandError` (130, 143) when interrupted,
  ///   `RuntimeError`.
  func run(_ pictures: [PixelImage], options: GenerationOptions) throws {
    explainPlan()
    let encoded = try timed { try pictures.map(encode) }
    let imagePositions = encoded.result.reduce(0) { $0 + $1.rows.rows }
    let count = ids.count - pictures.count + imagePositions
    console.explain(
      "prompt: \(ids.count - pictures.count) tokens and \(imagePositions) image positions: "
        + "\(count) of \(generator.context.cache.capacity)"
    )
    try Interruption.check()
    let prefill = try timed { try generator.read(ids, images: encoded.result) }
    console.explain("prefill: \(Self.rate(count, prefill.seconds))")
    try Interruption.check()
    let decode = try timed { try stream(options) }
    let generation = decode.result
    console.explain(
      "decode: \(Self.rate(generation.ids.count, decode.seconds)), ended by "
        + "\(generation.reason.rawValue)"
    )
    console.explain("peak memory: \(Quantity.bytes(System.peakResidentBytes))")
    try Interruption.check()
    guard console.isJSON else { return }
    try console.output.object(
      schema: "sea.run/1",
      [
        ("text", .string(generation.text)),
        ("ids", .array(generation.ids.map { .number(JSONNumber(Int($0))) })),
        ("finish", .string(generation.reason.rawValue)),
        ("prompt_positions", .number(JSONNumber(count))),
        ("image_positions", .number(JSONNumber(imagePositions))),
        ("generated_tokens", .number(JSONNumber(generation.ids.count))),
        ("encode_seconds", Self.seconds(encoded.seconds)),
        ("prefill_seconds", Self.seconds(prefill.seconds)),
        ("decode_seconds", Self.seconds(decode.seconds)),
        ("peak_resident_bytes", .number(JSONNumber(System.peakResidentBytes))),
      ]
    )
  }

  private func encode(_ picture: PixelImage) throws -> VisualTokens {
    let encoded = try timed { try generator.encode(picture) }
    console.explain(
      "image: \(picture.width) × \(picture.height) px, encoded in "
        + Quantity.duration(encoded.seconds)
    )
    return encoded.result
  }

  // MARK: - Streaming

  /// Writes the answer as it comes; what was written stays written when a later step fails.
  private func stream(_ options: GenerationOptions) throws -> Generation {
    var failure: OutputError?
    let generation = try generator.generate(options) { token in
      do throws(OutputError) {
        try write(token.text)
      } catch {
        failure = error
        return false
      }
      return Interruption.status == nil
    }
    if let failure { throw failure }
    try write(generation.rest)
    if !console.isJSON {
      try console.output.write("\n")
      try console.output.flush()
    }
    return generation
  }

  private func write(_ text: String) throws(OutputError) {
    guard !text.isEmpty else { return }
    if console.isJSON {
      try console.output.object(schema: "sea.run.piece/1", [("text", .string(text))])
    } else {
      try console.output.write(text)
    }
    try console.output.flush()
  }

  // MARK: - Numbers

  private func explainPlan() {
    let plan = generator.memory
    console.explain(
      "plan: \(Quantity.bytes(plan.peakBytes)) at most, of which "
        + "\(Quantity.bytes(plan.anonymousBytes)) beside the model file"
    )
    for part in plan.parts {
      console.explain(
        "  \(part.name): \(Quantity.bytes(part.bytes)) (\(part.kind.rawValue), "
          + "\(part.phase.rawValue))"
      )
    }
  }

  private func timed<Result>(
    _ body: () throws -> Result
  ) rethrows -> (
    result: Result, seconds: Double
  ) {
    let start = System.seconds
    let result = try body()
    return (result, System.seconds - start)
  }

  private static func rate(_ tokens: Int, _ seconds: Double) -> String {
    "\(tokens) tokens in \(Quantity.duration(seconds)), "
      + "\(Quantity.decimal(Double(tokens) / max(seconds, 1e-9), places: 1)) tokens/s"
  }

  /// Microseconds are as fine as the clock is worth reading.
  private static func seconds(_ value: Double) -> JSONValue {
    .number(JSONNumber((value * 1e6).rounded() / 1e6))
  }
}
