// SPDX-License-Identifier: Apache-2.0
// What an app embeds: a model that answers questions about pictures.

import SEAImage
import SEATensor
import SEAText

/// A model with everything it needs to answer.
///
/// ```swift
/// let assistant = try Assistant(modelPath: "model.sea")
/// let answer = try assistant.answer("What is this?", images: [bytesOfAPNGOrJPEG])
/// ```
///
/// A question about a picture that was shown lately encodes nothing, and reads no more of the prompt
/// than what differs from the last one. One thread at a time may ask.
public final class Assistant {
  /// How an assistant runs.
  public struct Options: Sendable, Equatable {
    /// Threads to compute with; nil: every core this process may use.
    public var threads: Int?
    /// `scalar`, `avx2`, `avx512vnni`, `neondot`, `neoni8mm`; nil: the best of this machine.
    public var instructionSet: String?
    /// Positions of the context; nil: what the model file suggests.
    public var context: Int?
    /// Resident bytes that may not be exceeded; nil: what the machine has.
    public var maxMemory: Int?

    /// The usual way.
    public init() {}
  }

  private let generator: Generator

  /// Opens a model file.
  ///
  /// - Throws: an error that says which file, field or tensor is wrong, or how much memory is missing.
  public init(modelPath: String, options: Options = Options()) throws {
    let execution = Execution(
      kernels: try Kernels(named: options.instructionSet),
      threads: options.threads
    )
    let header = try ModelHeader(path: modelPath)
    let plan = try GeneratorPlan(
      header,
      options: GeneratorOptions(context: options.context, maxMemory: options.maxMemory),
      threads: execution.pool.threads
    )
    try plan.check()
    generator = try Generator(Model(header), plan: plan, on: execution)
  }

  /// Answers a question.
  ///
  /// - Parameters:
  ///   - question: what a user says; it cannot contain control tokens.
  ///   - images: whole PNG, JPEG or WebP files, shown before the question.
  ///   - system: replaces the template's system text.
  ///   - sampling: how tokens are chosen.
  ///   - maxTokens: tokens at most.
  ///   - onText: called with each piece of text that is certain; false ends the answer.
  /// - Returns: the whole answer.
  /// - Throws: an error that says what about the pictures or the prompt is wrong.
  public func answer(
    _ question: String,
    images: [[UInt8]] = [],
    system: String? = nil,
    sampling: SamplingOptions = SamplingOptions(),
    maxTokens: Int = 1024,
    onText: (String) -> Bool = { _ in true }
  ) throws -> String {
    try sampling.validate()
    let model = generator.model
    let template = try model.template()
    let prompt = Prompt(system: system, turns: [Prompt.Turn(question, images: images.count)])
    let ids = try model.ids(of: prompt, template: template)
    let stops = try model.stops(template: template)
    let tokens = try images.enumerated().map { index, bytes in
      try generator.encode(ImageFile.decode(bytes: bytes, name: "image \(index + 1)"))
    }
    try generator.read(ids, images: tokens)
    let generation = try generator.generate(
      GenerationOptions(maxTokens: maxTokens, sampling: sampling, stops: stops)
    ) { token in
      token.text.isEmpty || onText(token.text)
    }
    if !generation.rest.isEmpty { _ = onText(generation.rest) }
    return generation.text
  }
}
