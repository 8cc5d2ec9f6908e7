// SPDX-License-Identifier: Apache-2.0
// The parts of a model file that need no weights.

import SEACommandLine
import SEAFormat
import SEAModel
import SEAText

extension ModelFile {
  /// The description, checked.
  ///
  /// - Throws: `CommandError` (65) naming the file and the field.
  func modelDescription() throws(CommandError) -> ModelDescription {
    do {
      return try ModelDescription(json: descriptionJSON)
    } catch {
      throw CommandError(.badData, "\(path.printable()): \(error)")
    }
  }

  /// Whether the file holds a tokenizer.
  var hasTokenizer: Bool {
    info(TokenizerTables.Name.settings) != nil
  }

  /// The tokenizer, opened in place.
  ///
  /// - Throws: `CommandError` (65) when the file has none or its tables are wrong.
  func tokenizer() throws(CommandError) -> Tokenizer {
    guard hasTokenizer else {
      throw CommandError(.badData, "\(path.printable()): the model has no tokenizer")
    }
    do {
      return try Tokenizer(tables: TokenizerTables { name in info(name).map { bytes(of: $0) } })
    } catch {
      throw CommandError(.badData, "\(path.printable()): \(error)")
    }
  }
}
