// SPDX-License-Identifier: Apache-2.0
// A forward pass written down as it happens.

import SEACommandLine
import SEAFormat
import SEAModel
import SEARuntime
import SEATensor
import SEAText

/// A traced forward pass into a safetensors file.
///
/// The tensors stand in the file in the order in which the pass makes them, so each is written when it
/// is there and none is kept in memory.
struct Probe {
  let model: Model
  let input: ProbeInput
  /// Tokens to choose after the prompt.
  let generated: Int
  let cacheType: CacheType?
  let execution: Execution

  /// Positions scored at once: their scores are all that is held of the largest tensor.
  private static let scoredRows = 16

  private static let wordsName = "text.pooled"

  /// Runs the pass and writes the file, which appears when it is complete.
  ///
  /// - Returns: the names of the tensors.
  /// - Throws: `RuntimeError`, `FormatError`, or `CommandError` (130, 143) when interrupted.
  func write(to path: String) throws -> [String] {
    let generator = try input.prompt.map { prompt in
      try Generator(model, options: options(positions: try positions(prompt)), on: execution)
    }
    let tensors = try tensors()
    let sink = ProbeSink(try SafetensorsWriter(path: path, tensors: tensors))
    try look(generator, sink)
    if let words = input.words {
      try sink.write(model.encode(texts: words, on: execution).array(), to: Self.wordsName)
      try sink.check()
    }
    if let prompt = input.prompt, let generator { try read(prompt, generator, sink) }
    try sink.finish()
    return tensors.map(\.name)
  }

  // MARK: - Shapes

  private func positions(_ prompt: ProbeInput.PromptInput) throws -> Int {
    switch prompt {
    case .embeddings(let rows): return rows.rows
    case .ids(let ids):
      let vocab = try model.requireLanguage().language.vocab
      for id in ids where id != Prompt.imageID && Int(id) >= vocab {
        throw CommandError(.usage, "token id \(id) is not in the vocabulary of \(vocab)")
      }
      let images = ids.count { $0 == Prompt.imageID }
      guard images <= (input.pixels == nil ? 0 : 1) else {
        throw RuntimeError.images(placeholders: images, given: input.pixels == nil ? 0 : 1)
      }
      return ids.count + images * (model.description.visualTokens(of: input.pictureSize) - 1)
    }
  }

  /// Room for the prompt and the tokens, read in one piece so that every tensor comes whole.
  private func options(positions: Int) -> GeneratorOptions {
    GeneratorOptions(
      context: positions + generated,
      cacheType: cacheType,
      chunk: positions,
      scoredRows: Self.scoredRows
    )
  }

  private func tensors() throws -> [SafetensorsTensor] {
    var tensors: [SafetensorsTensor] = []
    if input.pixels != nil, let encoder = model.description.encoder {
      tensors += pictureTensors(encoder)
      if let adapter = model.description.adapter {
        let tokens = model.description.visualTokens(of: input.pictureSize)
        tensors.append(Self.tensor(.visualTokens, [tokens, adapter.outputWidth]))
      }
    }
    if let words = input.words {
      let width = try model.requireTextTower().tower.jointWidth
      tensors.append(SafetensorsTensor(Self.wordsName, .float32, [words.count, width]))
    }
    guard let prompt = input.prompt, let language = model.description.language else {
      return tensors
    }
    let count = try positions(prompt)
    if case .ids(let ids) = prompt {
      tensors.append(SafetensorsTensor("input_ids", .int64, [ids.count]))
    }
    tensors.append(Self.tensor(.inputEmbeddings, [count, language.hidden]))
    for block in 0..<language.blocks {
      tensors.append(Self.tensor(.languageHidden(block: block + 1), [count, language.hidden]))
    }
    tensors.append(Self.tensor(.logits, [count, language.vocab]))
    if generated > 0 { tensors.append(SafetensorsTensor("generated_ids", .int64, [generated])) }
    return tensors
  }

  /// What the encoder makes of the picture, in the order in which it does.
  private func pictureTensors(_ encoder: EncoderDescription) -> [SafetensorsTensor] {
    let side = encoder.inputSide
    var tensors = [SafetensorsTensor("pixels", .float32, [3, side, side])]
    func addHidden(_ blocks: ClosedRange<Int>) {
      for block in blocks {
        tensors.append(Self.tensor(.visionHidden(block: block), [encoder.rows, encoder.hidden]))
      }
    }
    if encoder.scales.isEmpty { addHidden(0...encoder.selection.layer) }
    for scale in encoder.scales {
      let ratio = scale / encoder.imageSide
      let cells = encoder.gridSide * ratio
      tensors.append(Self.tensor(.scaleMap(ratio: ratio), [encoder.hidden, cells, cells]))
    }
    tensors.append(Self.tensor(.visionFeatures, [encoder.features, encoder.featureWidth]))
    if leadsToJointSpace, let width = encoder.jointWidth {
      if encoder.selection.layer < encoder.blocks {
        addHidden(encoder.selection.layer + 1...encoder.blocks)
      }
      tensors.append(Self.tensor(.visionProjected, [encoder.patches, width]))
      tensors.append(Self.tensor(.visionPooled, [width]))
    }
    return tensors
  }

  /// With an adapter the picture goes to the language model instead.
  private var leadsToJointSpace: Bool {
    model.adapter == nil && model.encoder?.joint != nil
  }

  private static func tensor(_ point: TracePoint, _ shape: [Int]) -> SafetensorsTensor {
    SafetensorsTensor(point.name, .float32, shape)
  }

  // MARK: - The pass

  /// The visual tokens end up in the sink's hands for the prompt.
  private func look(_ generator: Generator?, _ sink: ProbeSink) throws {
    guard let pixels = input.pixels else { return }
    try sink.write(pixels, to: "pixels")
    if let generator, model.adapter != nil {
      sink.picture = try generator.encode(pixels, of: input.pictureSize, tracing: sink.tracing)
    } else if leadsToJointSpace {
      _ = try model.encodeJoint(pixels, tracing: sink.tracing, on: execution)
    } else {
      let features = try model.encode(pixels, tracing: sink.tracing, on: execution)
      _ = try model.adapter?.run(
        features,
        of: input.pictureSize,
        tracing: sink.tracing,
        on: execution
      )
    }
    try sink.check()
  }

  private func read(
    _ prompt: ProbeInput.PromptInput,
    _ generator: Generator,
    _ sink: ProbeSink
  ) throws {
    switch prompt {
    case .ids(let ids):
      try sink.write(ids, to: "input_ids")
      let pictures = ids.contains(Prompt.imageID) ? sink.picture.map { [$0] } ?? [] : []
      try generator.read(ids, images: pictures, tracing: sink.tracing)
    case .embeddings(let rows): try generator.read(embeddings: rows, tracing: sink.tracing)
    }
    try sink.check()
    guard generated > 0 else { return }
    let generation = try generator.generate(GenerationOptions(maxTokens: generated)) { _ in
      Interruption.status == nil
    }
    try Interruption.check()
    try sink.write(generation.ids, to: "generated_ids")
  }
}

/// The file of a probe while it is written.
private final class ProbeSink {
  private var writer: SafetensorsWriter?
  private var failure: (any Error)?
  /// The picture, once it is encoded.
  var picture: VisualTokens?

  init(_ writer: consuming SafetensorsWriter) {
    self.writer = consume writer
  }

  /// Writes each piece as it comes; the first failure is kept for `check`.
  var tracing: Tracing {
    Tracing { [self] point, rows in
      guard failure == nil else { return }
      do {
        try write(rows.array(), to: point.name)
      } catch {
        failure = error
      }
    }
  }

  /// - Throws: what went wrong while tracing, or the interruption.
  func check() throws {
    if let failure { throw failure }
    try Interruption.check()
  }

  func write(_ values: [Float], to name: String) throws {
    try writer?.write(values, to: name)
  }

  /// Writes ids as I64.
  func write(_ ids: [Int32], to name: String) throws {
    var bytes: [UInt8] = []
    for id in ids {
      let bits = UInt64(bitPattern: Int64(id))
      for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * UInt64(byte)))) }
    }
    try writer?.write(bytes, to: name)
  }

  func finish() throws {
    try writer.take()?.finish()
  }
}
