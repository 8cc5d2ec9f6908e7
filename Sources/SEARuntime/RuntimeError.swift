// SPDX-License-Identifier: Apache-2.0
// The ways a model can refuse to open or to run.

package import SEAFormat
package import SEAImage
package import SEAModel
package import SEATensor
package import SEAText

/// Why a model cannot be opened or run.
package enum RuntimeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file or memory was refused by the operating system.
  case file(FileError)
  /// The file is not a model file.
  case format(FormatError)
  /// The description or the tensors contradict each other.
  case model(path: String, ModelError)
  /// The kernels that were asked for cannot be used.
  case instructionSet(InstructionSetError)
  /// The model lacks a part that the work needs.
  case missingPart(name: String, model: String)
  /// Weights cannot be read or do not fit.
  case weights(tensor: String, reason: String)
  /// An input has another size than the model takes.
  case input(what: String, found: String, expected: String)
  /// A prompt names a number of pictures other than the one given.
  case images(placeholders: Int, given: Int)
  /// A token is not in the vocabulary.
  case token(id: Int, vocab: Int)
  /// The sequence does not fit the context.
  case context(needed: Int, capacity: Int)
  /// The plan needs more memory than it may use.
  case memory(MemoryShortage)
  /// A score is not a number, so no token can be chosen.
  case notFinite(position: Int)
  /// A prompt, a template or a tokenizer was refused.
  case text(TextError)
  /// A picture was refused.
  case image(ImageError)

  package var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .format(let error): "\(error)"
    case .model(let path, let error): "\(path): \(error)"
    case .instructionSet(let error): "\(error)"
    case .missingPart(let name, let model): "model '\(model)' has no \(name)"
    case .weights(let tensor, let reason): "tensor '\(tensor)': \(reason)"
    case .input(let what, let found, let expected): "\(what) is \(found): expected \(expected)"
    case .images(let placeholders, let given):
      "the prompt has places for \(placeholders) images, \(given) were given"
    case .token(let id, let vocab): "token id \(id) is not in the vocabulary of \(vocab)"
    case .context(let needed, let capacity):
      "\(needed) positions do not fit the context of \(capacity)"
    case .memory(let shortage): "\(shortage)"
    case .notFinite(let position): "the scores after position \(position) are not numbers"
    case .text(let error): "\(error)"
    case .image(let error): "\(error)"
    }
  }
}
