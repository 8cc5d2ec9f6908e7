// SPDX-License-Identifier: Apache-2.0
// Conversations in the model's own form, and what ends its answers.

import SEAModel
package import SEAText

extension Model {
  /// The template to speak in: the one named, else the model's own.
  ///
  /// - Throws: `RuntimeError.text` for an unknown name, `.missingPart` without a template.
  package func template(named name: String? = nil) throws(RuntimeError) -> Template {
    if let name {
      do throws(TextError) {
        return try Template.named(name)
      } catch {
        throw .text(error)
      }
    }
    guard let template = description.template else {
      throw .missingPart(name: "conversation template", model: path)
    }
    return template
  }

  /// The ids of a conversation, `Prompt.imageID` in the place of each picture.
  ///
  /// - Throws: `RuntimeError.text` when the template has no place for something, `.missingPart`
  ///   without a tokenizer.
  package func ids(of prompt: Prompt, template: Template) throws(RuntimeError) -> [Int32] {
    let tokenizer = try requireTokenizer()
    do throws(TextError) {
      return tokenizer.encode(try prompt.segments(template))
    } catch {
      throw .text(error)
    }
  }

  /// What ends an answer: the checkpoint's ids, the template's tokens and texts, and more texts.
  ///
  /// - Throws: `RuntimeError.text` when the vocabulary lacks the template's stop tokens.
  package func stops(
    template: Template?,
    texts: [String] = []
  ) throws(RuntimeError) -> StopRule {
    var ids = (description.generation?.stopIDs ?? []).compactMap { Int32(exactly: $0) }
    if let template, let tokenizer {
      do throws(TextError) {
        for id in try tokenizer.stopIDs(for: template) where !ids.contains(id) { ids.append(id) }
      } catch {
        throw .text(error)
      }
    }
    return StopRule(ids: ids, texts: (template?.stopTexts ?? []) + texts)
  }
}
