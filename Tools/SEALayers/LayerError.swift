// SPDX-License-Identifier: Apache-2.0
// The ways a model can refuse to be trained.

package import SEATensor

/// Why layers cannot be built or run.
package enum LayerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Memory was refused by the operating system.
  case file(FileError)
  /// The model lacks a part that the work needs.
  case missingPart(name: String)
  /// A parameter is absent or has another shape or storage than a layer needs.
  case parameter(name: String, reason: String)
  /// An input has another size than the model takes.
  case input(what: String, found: String, expected: String)
  /// A token is not in the vocabulary.
  case token(id: Int, vocab: Int)
  /// A sample names a number of pictures other than it holds.
  case images(placeholders: Int, given: Int)
  /// Something that the layers do not train.
  case unsupported(String)

  package var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .missingPart(let name): "the model has no \(name)"
    case .parameter(let name, let reason): "parameter '\(name)': \(reason)"
    case .input(let what, let found, let expected): "\(what) is \(found): expected \(expected)"
    case .token(let id, let vocab): "token id \(id) is not in the vocabulary of \(vocab)"
    case .images(let placeholders, let given):
      "the sample has places for \(placeholders) pictures, \(given) were given"
    case .unsupported(let what): "\(what) cannot be trained"
    }
  }
}

/// A zeroed matrix with a buffer of its own.
///
/// - Throws: `LayerError.file` when memory cannot be had.
func allocate<Element: BitwiseCopyable>(
  _ type: Element.Type = Element.self,
  rows: Int,
  columns: Int
) throws(LayerError) -> MatrixView<Element> {
  do throws(FileError) {
    return try MatrixView(rows: rows, columns: columns)
  } catch {
    throw .file(error)
  }
}
