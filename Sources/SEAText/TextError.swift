// SPDX-License-Identifier: Apache-2.0
// The ways a compiled tokenizer, a template or a prompt can be wrong.

import SEAFormat

/// Why a tokenizer, a template or a prompt was refused.
package enum TextError: Error, Equatable, Sendable {
  /// A table that the tokenizer needs is not there.
  case missingTable(name: String)
  /// A table's length or content contradicts the others.
  case badTable(name: String, problem: String)
  /// A setting has a value that cannot be used.
  case badSetting(field: String, problem: String)
  /// A tokenizer component of a kind that is not implemented.
  case unsupported(component: String, name: String)
  /// No template has this name.
  case unknownTemplate(name: String)
  /// The template has no place for a system text.
  case noSystemText(template: String)
  /// The marks in a prompt and the images given differ in number.
  case imageCount(marks: Int, images: Int)
  /// A token text that the vocabulary does not have.
  case unknownToken(text: String)
}

extension TextError: CustomStringConvertible {
  /// What is wrong and what was expected.
  package var description: String {
    switch self {
    case .missingTable(let name):
      "tokenizer table '\(name)' is missing"
    case .badTable(let name, let problem):
      "tokenizer table '\(name)': \(problem)"
    case .badSetting(let field, let problem):
      "tokenizer setting '\(field)': \(problem)"
    case .unsupported(let component, let name):
      "\(component) '\(name.printable())' is not supported"
    case .unknownTemplate(let name):
      "no template is named '\(name.printable())'; there are \(Template.names.joined(separator: ", "))"
    case .noSystemText(let template):
      "template '\(template)' has no place for a system text"
    case .imageCount(let marks, let images):
      "the prompt has \(marks) image marks and \(images) images were given"
    case .unknownToken(let text):
      "the vocabulary has no token '\(text.printable())'"
    }
  }
}
