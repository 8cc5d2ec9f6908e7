// SPDX-License-Identifier: Apache-2.0
// Pictures and prompts in, tokens and text out.

package import SEAImage
import SEAModel
package import SEATensor
import SEAText

/// One conversation with a model.
///
/// A prompt that starts like what was read before continues from there: a growing conversation is
/// read once. A picture that is shown again is not encoded again, and counts as the same in a prompt.
/// One thread at a time may use a generator.
package final class Generator {
  /// The model.
  package let model: Model
  /// Kernels and threads.
  package let execution: Execution
  /// The sequence.
  package let context: LanguageContext
  /// The memory it takes.
  package let memory: MemoryPlan
  /// Positions of the prompt read last that stood there already.
  package private(set) var keptPositions = 0

  /// What stands at each position of the cache: a token id, or a mark below 0.
  private var history: [Int] = []
  private var serial = 0
  private var pictures: PictureCache

  /// Prepares a conversation as planned.
  ///
  /// - Parameters:
  ///   - model: the open model, placed as the plan says.
  ///   - plan: of this model.
  ///   - execution: with as many threads as the plan was made for.
  /// - Throws: `RuntimeError.memory` when the plan exceeds its limit, `.missingPart` without a
  ///   language model, `.file` when memory cannot be had.
  package init(
    _ model: Model,
    plan: GeneratorPlan,
    on execution: Execution
  ) throws(RuntimeError) {
    let language = try model.requireLanguage()
    try plan.check()
    self.model = model
    self.execution = execution
    memory = plan.memory
    pictures = PictureCache(capacity: plan.pictureBytes)
    context = try LanguageContext(language, options: plan.context, on: execution)
    history.reserveCapacity(plan.context.capacity)
  }

  /// Prepares a conversation, after checking that its memory may be had.
  ///
  /// - Throws: `RuntimeError.memory` when the plan exceeds the limit, `.missingPart` without a
  ///   language model, `.input` for a context the model was not made for.
  package convenience init(
    _ model: Model,
    options: GeneratorOptions = GeneratorOptions(),
    on execution: Execution
  ) throws(RuntimeError) {
    let plan = try GeneratorPlan(model.header, options: options, threads: execution.pool.threads)
    try self.init(model, plan: plan, on: execution)
  }

  /// Forgets the conversation and its pictures.
  package func reset() {
    forget(from: 0)
    pictures.removeAll()
  }

  private func forget(from count: Int) {
    context.cache.truncate(to: count)
    history.removeLast(history.count - count)
  }
}

// MARK: - Pictures

extension Generator {
  /// Encodes a picture as the model's recipe says, unless it is known.
  ///
  /// - Throws: `RuntimeError.image` when the recipe refuses it, `.missingPart` without an encoder.
  package func encode(
    _ image: PixelImage,
    tracing: Tracing? = nil
  ) throws(RuntimeError) -> VisualTokens {
    try encode(
      model.pixels(of: image).values,
      of: ImageSize(height: image.height, width: image.width),
      tracing: tracing
    )
  }

  /// Encodes a picture that is already normalised, unless it is known.
  ///
  /// - Parameters:
  ///   - pixels: `[3, inputSide, inputSide]`, channel first.
  ///   - picture: its size before padding; nil: it fills the square.
  ///   - tracing: sees hidden states, features and visual tokens; nothing of a known picture.
  /// - Returns: the picture for a prompt of this generator.
  /// - Throws: `RuntimeError.input` for another size, `.missingPart` without encoder or adapter.
  package func encode(
    _ pixels: [Float],
    of picture: ImageSize? = nil,
    tracing: Tracing? = nil
  ) throws(RuntimeError) -> VisualTokens {
    let adapter = try model.requireAdapter()
    if let known = pictures.find(pixels, of: picture) { return known }
    let features = try model.encode(pixels, tracing: tracing, on: execution)
    let rows = try adapter.run(features, of: picture, tracing: tracing, on: execution)
    try model.checkFile()
    serial += 1
    let tokens = VisualTokens(rows: rows, serial: serial)
    pictures.insert(tokens, for: pixels, of: picture)
    return tokens
  }
}

// MARK: - Prompts

extension Generator {
  /// Reads a prompt; positions shared with what was read before are kept.
  ///
  /// - Parameters:
  ///   - ids: token ids with `Prompt.imageID` in the place of each picture.
  ///   - images: the pictures in order.
  ///   - tracing: sees every position, so that nothing is kept.
  /// - Throws: `RuntimeError.context` when the prompt does not fit, `.images` unless there is a
  ///   picture for each place, `.input` for an empty prompt.
  package func read(
    _ ids: [Int32],
    images: [VisualTokens] = [],
    tracing: Tracing? = nil
  ) throws(RuntimeError) {
    let prompt = try PromptEmbedding(ids: ids, images: images.map(\.rows))
    var marks: [Int] = []
    var image = 0
    for id in ids {
      if id == Prompt.imageID {
        let serial = images[image].serial
        marks += (0..<images[image].rows.rows).map { -(serial << 20 + $0) - 1 }
        image += 1
      } else {
        marks.append(Int(id))
      }
    }
    try read(prompt, marks: marks, tracing: tracing)
  }

  /// Reads rows in the space of the embedding table as a new conversation.
  ///
  /// - Parameters:
  ///   - rows: `[tokens, hidden]`.
  ///   - tracing: sees every position.
  /// - Throws: `RuntimeError.context` when the rows do not fit, `.input` for another width.
  package func read(
    embeddings rows: MatrixView<Float>,
    tracing: Tracing? = nil
  ) throws(RuntimeError) {
    serial += 1
    let marks = (0..<rows.rows).map { -(serial << 20 + $0) - 1 }
    try read(PromptEmbedding([.table(rows)]), marks: marks, tracing: tracing)
  }

  private func read(
    _ prompt: PromptEmbedding,
    marks: [Int],
    tracing: Tracing?
  ) throws(RuntimeError) {
    guard !marks.isEmpty else {
      throw .input(what: "the prompt", found: "empty", expected: "at least one token")
    }
    guard marks.count <= context.cache.capacity else {
      throw .context(needed: marks.count, capacity: context.cache.capacity)
    }
    // The last position is run again in any case: its scores choose the next token.
    var kept = zip(history, marks.dropLast()).prefix { $0 == $1 }.count
    if tracing != nil { kept = 0 }
    forget(from: kept)
    do throws(RuntimeError) {
      try context.prefill(prompt.dropping(first: kept), tracing: tracing)
      try model.checkFile()
    } catch {
      context.cache.truncate(to: kept)
      throw error
    }
    history += marks[kept...]
    keptPositions = kept
  }
}

// MARK: - Answers

extension Generator {
  /// Writes an answer after the prompt that was read last.
  ///
  /// - Parameters:
  ///   - options: what the answer may be.
  ///   - onToken: called with each token; false ends the answer.
  /// - Returns: tokens, text and the reason of the end.
  /// - Throws: `RuntimeError.notFinite` when the scores are not numbers.
  /// - Precondition: a prompt has been read.
  package func generate(
    _ options: GenerationOptions,
    onToken: (GeneratedToken) -> Bool = { _ in true }
  ) throws(RuntimeError) -> Generation {
    precondition(!history.isEmpty, "no prompt has been read")
    try options.sampling.validate()
    var sampler = Sampler(options.sampling, vocab: context.model.language.vocab)
    for mark in history where mark >= 0 { sampler.see(Int32(mark)) }
    var text = AnswerStream(model.tokenizer, options.stops)
    var ids: [Int32] = []
    var reason = FinishReason.length
    while ids.count < options.maxTokens {
      let id = try choose(&sampler)
      if options.stops.ids.contains(id) {
        reason = .stop
        break
      }
      ids.append(id)
      sampler.see(id)
      let token = GeneratedToken(id: id, text: text.push(id))
      let wantsMore = onToken(token)
      if text.isStopped || !wantsMore {
        reason = text.isStopped ? .stop : .cancelled
        break
      }
      guard ids.count < options.maxTokens else { break }
      guard context.cache.count < context.cache.capacity else {
        reason = .context
        break
      }
      try context.decode(id)
      history.append(Int(id))
    }
    try model.checkFile()
    let rest = text.finish()
    return Generation(ids: ids, text: text.whole, rest: rest, reason: reason)
  }

  private func choose(_ sampler: inout Sampler) throws(RuntimeError) -> Int32 {
    let id = context.logits.withRow(0) { (scores: consuming MutableSpan<Float>) in
      sampler.choose(scores.span)
    }
    guard let id else { throw .notFinite(position: context.cache.count - 1) }
    return id
  }
}

/// The text of an answer as its tokens come.
private struct AnswerStream {
  private var decoder: StreamingDecoder?
  private var answer: AnswerText

  /// The text so far.
  private(set) var whole = ""

  /// True once a stop text has appeared.
  var isStopped: Bool { answer.isStopped }

  init(_ tokenizer: Tokenizer?, _ rule: StopRule) {
    decoder = tokenizer.map { StreamingDecoder($0, skipsSpecial: true) }
    answer = AnswerText(rule)
  }

  mutating func push(_ id: Int32) -> String {
    guard let bytes = decoder?.push(id) else { return "" }
    return add(answer.push(bytes))
  }

  mutating func finish() -> String {
    guard !isStopped, let bytes = decoder?.finish() else { return "" }
    return add(answer.push(bytes)) + add(answer.finish())
  }

  private mutating func add(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    whole += text
    return text
  }
}
