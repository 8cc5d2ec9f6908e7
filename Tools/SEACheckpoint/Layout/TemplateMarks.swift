// SPDX-License-Identifier: Apache-2.0
// The marks by which a chat template is known to write one of the known conversation formats.

/// Recognises a chat template by texts that it contains.
///
/// A chat template is a program in a language of its own. It is searched, never run.
enum TemplateMarks {
  /// A format and the texts that its templates contain, all of them.
  private struct Entry {
    let name: String
    let marks: [String]
  }

  /// The more telling entries of a format come first.
  private static let entries = [
    Entry(name: "llama_v3", marks: ["<|start_header_id|>", "<|eot_id|>", "You are Cambrian"]),
    Entry(
      name: "llama_3",
      marks: ["<|start_header_id|>", "<|eot_id|>", "helpful language and vision assistant"],
    ),
    Entry(name: "llama3", marks: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
    Entry(name: "mgm_gemma", marks: ["<start_of_turn>", "<end_of_turn>", "<eos>"]),
    Entry(name: "gemma_it", marks: ["<start_of_turn>", "<end_of_turn>"]),
    Entry(name: "phi3", marks: ["<|assistant|>", "<|end|>", "You are a helpful AI assistant."]),
    Entry(name: "phi3_nosys", marks: ["<|assistant|>", "<|end|>"]),
    Entry(name: "llava_v1", marks: ["USER:", "ASSISTANT:", "a curious human"]),
    Entry(name: "tl_gemma", marks: ["USER:", "ASSISTANT:", "<eos>"]),
    Entry(name: "vicuna_v1", marks: ["USER:", "ASSISTANT:"]),
    Entry(name: "llava_v0", marks: ["###", "Human:", "Assistant:"]),
  ]

  /// The name of the format, or nil when the text has the marks of none.
  static func name(of text: String) -> String? {
    let text = Array(text.utf8)
    return entries.first { $0.marks.allSatisfy { contains(text, Array($0.utf8)) } }?.name
  }

  /// Compares bytes, so that no accent after a mark can hide it.
  private static func contains(_ text: [UInt8], _ mark: [UInt8]) -> Bool {
    guard let first = mark.first, text.count >= mark.count else { return false }
    return (0...text.count - mark.count).contains {
      text[$0] == first && text[$0...].starts(with: mark)
    }
  }
}
