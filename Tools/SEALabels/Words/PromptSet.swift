// SPDX-License-Identifier: Apache-2.0
// The sentences that a word is put into before it is placed in the joint space.

import SEAFormat
import SEATensor

/// A set of sentences with a gap for the word.
///
/// A word's direction is the mean of the directions of its sentences.
package struct PromptSet: Sendable, Equatable {
  /// `bare`, `photo`, `surgery85`, or the name of a file.
  package let name: String
  /// The sentences; `{}` is the gap, once in each.
  package let templates: [String]

  /// The word alone: the literal reading of the method.
  package static let bare = PromptSet(name: "bare", templates: ["{}"])

  /// One sentence, as zero-shot classifiers use.
  package static let photo = PromptSet(name: "photo", templates: ["a photo of a {}."])

  /// Eighty photo sentences and five of a scene.
  ///
  /// - Source: reference.md G.3.
  package static let surgery85 = PromptSet(name: "surgery85", templates: PhotoTemplates.all)

  /// The sets that have names.
  package static let named = [bare, photo, surgery85]

  /// Most sentences of a file.
  package static let limit = 1024

  private static let gap = "{}"

  /// A set of sentences.
  private init(name: String, templates: [String]) {
    self.name = name
    self.templates = templates
  }

  /// The set of a name, or the lines of a file.
  ///
  /// - Throws: `LabelError` when the file cannot be read or a line has not exactly one gap.
  package init(_ choice: String) throws(LabelError) {
    if let known = Self.named.first(where: { $0.name == choice }) {
      self = known
      return
    }
    let file: MappedFile
    do throws(FileError) {
      file = try MappedFile(path: choice)
    } catch {
      guard case .missing = error else { throw .file(error) }
      throw .usage(
        "--prompt-set \(choice.printable(limit: 4096)): expected bare, photo, surgery85 or a file"
      )
    }
    var reader = LineReader(file.bytes)
    var templates: [String] = []
    while let line = reader.next() {
      func refuse(_ problem: String) -> LabelError {
        .line(path: choice, line: reader.number, problem: problem)
      }
      guard let text = String(validating: line, as: UTF8.self) else {
        throw refuse("not valid UTF-8")
      }
      guard text.contains(where: { !$0.isWhitespace }) else { continue }
      guard Self.gaps(in: text) == 1, text.utf8.count <= 1024, !text.contains("\0") else {
        throw refuse("expected one '{}' in a sentence of at most 1,024 bytes")
      }
      guard templates.count < Self.limit else {
        throw refuse("more than \(Self.limit) sentences")
      }
      templates.append(text)
    }
    guard !templates.isEmpty else { throw .empty(path: choice, what: "sentences") }
    self.init(name: "file", templates: templates)
  }

  /// SHA-256 of the sentences, each followed by a line feed.
  package var digest: String { Digest.of(Array(templates.map { $0 + "\n" }.joined().utf8)) }

  /// The sentences of a word.
  package func texts(of word: String) -> [String] {
    templates.map { template in
      let parts = Self.split(template)
      return parts.before + word + parts.after
    }
  }

  private static func gaps(in text: String) -> Int {
    var count = 0
    var rest = text.utf8[...]
    while let open = rest.firstIndex(of: UInt8(ascii: "{")) {
      rest = rest[rest.index(after: open)...]
      if rest.first == UInt8(ascii: "}") { count += 1 }
    }
    return count
  }

  private static func split(_ template: String) -> (before: String, after: String) {
    let bytes = Array(template.utf8)
    let gap = Array(gap.utf8)
    for start in bytes.indices where bytes[start...].starts(with: gap) {
      return (
        String(decoding: bytes[..<start], as: UTF8.self),
        String(decoding: bytes[(start + gap.count)...], as: UTF8.self)
      )
    }
    return (template, "")
  }
}
