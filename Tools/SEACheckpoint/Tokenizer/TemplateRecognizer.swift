// SPDX-License-Identifier: Apache-2.0
// Which of the known conversation formats a checkpoint's chat template is; the template never runs.

import SEAFormat

/// Recognises `chat_template` of tokenizer_config.json by the marks that its text contains.
package enum TemplateRecognizer {
  /// The longest template that is looked at; real ones stay below 10 kB.
  package static let maximumBytes = 1 << 16

  /// The name of the template, or nil when there is none or it is none of the known ones.
  ///
  /// - Throws: `CheckpointError` when the template is longer than any real one.
  package static func name(_ files: TokenizerFiles) throws(CheckpointError) -> String? {
    guard let configuration = files.configuration, let text = text(configuration.json) else {
      return nil
    }
    guard text.utf8.count <= maximumBytes else {
      throw .badField(
        path: configuration.path,
        field: "chat_template",
        problem: "\(text.utf8.count) bytes, more than the \(maximumBytes) of any known template",
      )
    }
    return name(text)
  }

  private static func text(_ configuration: JSONValue) -> String? {
    let value = configuration["chat_template"]
    if let named = value?.array {
      return named.first { $0["name"]?.string == "default" }?["template"]?.string
    }
    return value?.string
  }

  private static func name(_ text: String) -> String? {
    let marks: [(name: String, all: [String])] = [
      ("llama3", ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
      ("phi3_nosys", ["<|user|>", "<|assistant|>", "<|end|>"]),
      ("gemma_it", ["<start_of_turn>", "<end_of_turn>"]),
      ("vicuna_v1", ["USER: ", "ASSISTANT:"]),
      ("llava_v0", ["### Human", "### Assistant"]),
    ]
    return marks.first { $0.all.allSatisfy { contains(text, $0) } }?.name
  }

  private static func contains(_ text: String, _ mark: String) -> Bool {
    let text = Array(text.utf8)
    let mark = Array(mark.utf8)
    guard text.count >= mark.count else { return false }
    return (0...text.count - mark.count).contains { text[$0...].starts(with: mark) }
  }
}
