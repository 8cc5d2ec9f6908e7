// SPDX-License-Identifier: Apache-2.0
// The ways a model can fail to become a model file, or a file to be compared with its source.

/// Why weights were not written or not compared.
package enum QuantizerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A tensor holds NaN or infinities.
  case nonFinite(tensor: String, count: Int, values: Int)
  /// A file that was to be a source holds weights that have lost precision already.
  case alreadyQuantized(path: String, tensor: String, storage: String)
  /// The caller asked to stop; nothing was left behind.
  case cancelled
  /// Two models that were to be compared are not the same model.
  case differentModels(path: String, source: String, file: String)

  package var description: String {
    switch self {
    case .nonFinite(let tensor, let count, let values):
      "tensor '\(tensor)': \(count) of \(values) values are NaN or infinite, expected none; "
        + "--allow-nonfinite stores them as documented"
    case .alreadyQuantized(let path, let tensor, let storage):
      "\(path): tensor '\(tensor)' is stored as \(storage): expected f32 or bf16; "
        + "quantise the checkpoint or an f32 or bf16 file of it"
    case .cancelled: "interrupted: no file was written"
    case .differentModels(let path, let source, let file):
      "\(path): describes model '\(file)', which is not the source's '\(source)': "
        + "expected the file made of it"
    }
  }
}
