// SPDX-License-Identifier: Apache-2.0
// Chooses the conversation template: asked for, recognised, or the family's.

internal import SEAFormat
internal import SEAText

/// The choice of a template and the reason for it.
///
/// A chat template in a checkpoint is a program. It is only looked at for the marks of the formats
/// known here, never run.
struct TemplateChoice {
  let template: Template
  let reason: String

  /// Bytes of the longest chat template that is looked at; real ones have a few kB.
  private static let maxTemplateBytes = 64 << 10

  /// What a default is chosen by.
  struct Model {
    let layout: SourceLayout
    let family: LanguageFamily
    /// What the checkpoint calls its base model.
    let name: String
    /// Tells Llama 3 from its ancestors where the tokenizer does not.
    let ropeTheta: Double
  }

  /// Chooses.
  ///
  /// - Parameters:
  ///   - asked: a name that the caller wants.
  ///   - config: the tokenizer_config.json, if there is one.
  ///   - model: decides where neither does.
  /// - Throws: `CheckpointError` for an unknown name or a chat template of absurd length.
  init(
    asked: String?,
    config: ConfigReader?,
    model: Model,
  ) throws(CheckpointError) {
    if let asked {
      template = try Self.named(asked)
      reason = "asked for"
      return
    }
    var note = "the family's default"
    if let config, let text = try Self.chatTemplate(config) {
      if let known = TemplateMarks.name(of: text) {
        template = try Self.named(known)
        reason = "recognised in chat_template"
        return
      }
      note += "; the chat_template is none of those known"
    }
    template = try Self.named(Self.standard(model, bos: Self.bos(config)))
    reason = note
  }

  private static func named(_ name: String) throws(CheckpointError) -> Template {
    do { return try Template.named(name) } catch { throw .usage("\(error)") }
  }

  /// The text of a chat template: one text, or the entry named "default" of a list.
  private static func chatTemplate(_ config: ConfigReader) throws(CheckpointError) -> String? {
    guard let value = config.value("chat_template") else { return nil }
    let entries = value.array ?? []
    let entry = entries.first { $0["name"]?.string == "default" } ?? entries.first
    guard let text = value.string ?? entry?["template"]?.string else {
      throw config.fault("chat_template", "\(value.kind), expected a text")
    }
    guard text.utf8.count <= maxTemplateBytes else {
      throw config.fault(
        "chat_template",
        "\(text.utf8.count) bytes, at most \(maxTemplateBytes) are read",
      )
    }
    return text
  }

  /// The format that the layout's project trains such a model with.
  ///
  /// - Source: reference.md F.2.
  private static func standard(_ model: Model, bos: String?) -> String {
    let isThirdLlama = bos.map { $0 == "<|begin_of_text|>" } ?? (model.ropeTheta >= 500_000)
    switch (model.family, model.layout) {
    case (.llama, .cambrian): return isThirdLlama ? "llama_v3" : "vicuna_v1"
    case (.llama, _): return isThirdLlama ? "llama3" : "vicuna_v1"
    case (.gemma, .cambrian): return "cam_gemma"
    case (.gemma, .tinyLLaVA): return "tl_gemma"
    case (.gemma, _): return model.name.contains("-it") ? "mgm_gemma" : "tl_gemma"
    case (.phi3, _): return "phi3"
    }
  }

  /// The text of the beginning-of-sequence token, given as such or in an object.
  private static func bos(_ config: ConfigReader?) -> String? {
    let value = config?.value("bos_token")
    return value?.string ?? value?["content"]?.string
  }
}
