// SPDX-License-Identifier: Apache-2.0
// What commands check and say about a model file before they use it.

import SEACommandLine
import SEAFormat

/// Checks of a whole file.
enum ModelCheck {
  /// Compares all checksums.
  ///
  /// - Throws: `FormatError.checksum`.
  static func verify(_ file: ModelFile, _ console: Console) throws {
    let start = System.seconds
    try file.verify { done, total in
      console.terminal.progress(
        "verify",
        done: done,
        total: total,
        unit: Quantity.bytes,
        since: start
      )
    }
    console.terminal.clearProgress()
    try Interruption.check()
  }

  /// Says so when the weights were never trained.
  static func noteTraining(_ file: ModelFile, _ console: Console) {
    guard let training = file.manifest.provenance["training"]?.string,
      training.hasPrefix("none")
    else { return }
    console.terminal.note(
      "note: the weights of this model are random (training: \(training.printable())), "
        + "so its answers mean nothing"
    )
  }
}
