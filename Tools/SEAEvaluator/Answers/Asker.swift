// SPDX-License-Identifier: Apache-2.0
// Puts a benchmark's questions to a model, one after the other.

internal import FoundationEssentials
package import SEAFormat
internal import SEAImage
internal import SEAModel
package import SEARuntime
internal import SEATensor
package import SEAText

/// Asks a model.
///
/// Questions about the same picture that follow each other encode it once and keep what they share of the
/// prompt.
package final class Asker {
  private let generator: Generator
  private let template: Template?
  private let images: String?
  private let maxTokens: Int?
  private let isChat: Bool
  private var latest: (picture: BenchmarkQuestion.Picture, tokens: VisualTokens)?

  /// - Parameters:
  ///   - generator: the model.
  ///   - template: how questions are put; nil: as plain text.
  ///   - images: the folder of pictures.
  ///   - maxTokens: replaces the benchmark's longest answer.
  ///   - isChat: put questions that have no template by default in one.
  package init(
    _ generator: Generator,
    template: Template?,
    images: String?,
    maxTokens: Int? = nil,
    isChat: Bool = false
  ) {
    self.generator = generator
    self.template = template
    self.images = images
    self.maxTokens = maxTokens
    self.isChat = isChat
  }

  /// The answer, greedily chosen, and facts about it.
  ///
  /// - Throws: `EvaluatorError` when the picture or the prompt is refused.
  package func answer(
    _ question: BenchmarkQuestion
  ) throws(EvaluatorError) -> (text: String, metadata: JSONObject) {
    switch question.form {
    case .text(let limit): try generate(question, maxTokens: maxTokens ?? limit)
    case .letter(let options, let opening, let shots):
      try choose(question, options, opening: opening, shots: shots)
    }
  }

  /// Answers every question that has none yet.
  ///
  /// - Parameters:
  ///   - questions: in their order.
  ///   - log: where answers go; its first ones must be those of the first questions.
  ///   - modelID: names the model in the log.
  ///   - progress: called before each question.
  ///   - isCancelled: asked before each question whether to stop.
  /// - Returns: all answers.
  /// - Throws: `EvaluatorError.mismatch` when the log holds other questions' answers, `.cancelled`.
  package func answer(
    _ questions: [BenchmarkQuestion],
    log: AnswerLog,
    modelID: String,
    progress: (Int, Int) -> Void = { _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws(EvaluatorError) -> [AnswerRecord] {
    try Self.check(log.found, against: questions, modelID: modelID, path: log.path)
    var answers = log.found
    for position in answers.count..<questions.count {
      progress(position, questions.count)
      if isCancelled() {
        try log.flush()
        throw .cancelled(done: position, count: questions.count)
      }
      let (text, metadata) = try answer(questions[position])
      let record = AnswerRecord(
        to: questions[position],
        position: position,
        text: text,
        modelID: modelID,
        metadata: metadata
      )
      try log.append(record)
      answers.append(record)
    }
    try log.finish()
    return answers
  }

  /// Refuses answers that are not those of the first questions by this model.
  private static func check(
    _ found: [AnswerRecord],
    against questions: [BenchmarkQuestion],
    modelID: String,
    path: String
  ) throws(EvaluatorError) {
    guard found.count <= questions.count else {
      throw .mismatch(
        path: path,
        problem: "holds \(found.count) answers to \(questions.count) questions"
      )
    }
    for (index, (record, question)) in zip(found, questions).enumerated() {
      guard record.key == AnswerRecord.key(question.id), record.prompt == question.recordedPrompt
      else {
        throw .mismatch(path: path, problem: "answer \(index + 1) is to another question")
      }
      guard record.fields["model_id"]?.string == modelID else {
        throw .mismatch(path: path, problem: "answer \(index + 1) is another model's")
      }
    }
  }

  // MARK: - Generated answers

  private func generate(
    _ question: BenchmarkQuestion,
    maxTokens: Int
  ) throws(EvaluatorError) -> (text: String, metadata: JSONObject) {
    let pictures = try visualTokens(question.picture).map { [$0] } ?? []
    do throws(RuntimeError) {
      let model = generator.model
      let template = try questionTemplate()
      let turn = Prompt.Turn(question.text, images: pictures.count)
      let ids = try model.ids(of: Prompt(turns: [turn]), template: template)
      try generator.read(ids, images: pictures)
      let answer = try generator.generate(
        GenerationOptions(maxTokens: maxTokens, stops: model.stops(template: template))
      )
      return (answer.text, JSONObject())
    } catch {
      throw .runtime(error)
    }
  }

  /// The picture as the model sees it; nil where there is none.
  private func visualTokens(
    _ picture: BenchmarkQuestion.Picture
  ) throws(EvaluatorError) -> VisualTokens? {
    if let latest, latest.picture == picture { return latest.tokens }
    let name: String
    let bytes: [UInt8]
    switch picture {
    case .none: return nil
    case .file(let file):
      guard let images else {
        throw .usage("the questions are about pictures: --images names their folder")
      }
      name = "\(images)/\(file)"
      bytes = try DataFile.bytes(name)
    case .base64(let text):
      name = "a picture in the question file"
      guard let data = Data(base64Encoded: text) else {
        throw .record(path: name, place: "the picture", problem: "is not base 64")
      }
      bytes = Array(data)
    }
    let image: PixelImage
    do throws(ImageError) {
      image = try ImageFile.decode(bytes: bytes, name: name)
    } catch {
      throw .image(error)
    }
    do throws(RuntimeError) {
      let tokens = try generator.encode(image)
      latest = (picture, tokens)
      return tokens
    } catch {
      throw .runtime(error)
    }
  }

  // MARK: - Letters

  /// The option whose letter is the likeliest next token.
  private func choose(
    _ question: BenchmarkQuestion,
    _ options: [String],
    opening: String,
    shots: [String]
  ) throws(EvaluatorError) -> (text: String, metadata: JSONObject) {
    do throws(RuntimeError) {
      let capacity = generator.context.cache.capacity
      var shots = shots[...]
      var ids = try ids(opening + shots.joined() + question.text)
      while ids.count > capacity, !shots.isEmpty {
        shots = shots.dropFirst()
        ids = try self.ids(opening + shots.joined() + question.text)
      }
      try generator.read(ids)
      let letters = try options.map { option throws(RuntimeError) in try letterID(option) }
      let scores = generator.context.logits.withRow(0) { (row: consuming MutableSpan<Float>) in
        letters.map { Int($0) < row.count ? row[Int($0)] : -.infinity }
      }
      var best = 0
      for index in scores.indices where scores[index] > scores[best] { best = index }
      let metadata = JSONObject([
        (key: "shots", value: .number(JSONNumber(shots.count))),
        (
          key: "scores",
          value: .array(scores.map { $0.isFinite ? .number(JSONNumber(Double($0))) : .null })
        ),
      ])
      return (options[best], metadata)
    } catch {
      throw .runtime(error)
    }
  }

  private func ids(_ text: String) throws(RuntimeError) -> [Int32] {
    let model = generator.model
    guard isChat else { return try model.requireTokenizer().encode([.text(text)]) }
    return try model.ids(of: Prompt(turns: [Prompt.Turn(text)]), template: questionTemplate())
  }

  private func questionTemplate() throws(RuntimeError) -> Template {
    guard let template else { return try generator.model.template() }
    return template
  }

  /// The token of a letter that begins an answer: with the space that the tokenizer puts before words.
  private func letterID(_ letter: String) throws(RuntimeError) -> Int32 {
    let tokenizer = try generator.model.requireTokenizer()
    guard let id = tokenizer.encode([.text("Answer: " + letter)]).last else {
      throw .input(what: "the letter \(letter)", found: "no token", expected: "one")
    }
    return id
  }
}
