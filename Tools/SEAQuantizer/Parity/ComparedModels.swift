// SPDX-License-Identifier: Apache-2.0
// A model file and the weights it was made of, opened to run side by side.

import SEAModel
import SEARuntime
import SEATensor

/// Both models with what is needed to run their parts.
struct ComparedModels {
  let source: any WeightSource
  let file: Model
  let tensors: FileTensors
  let sides: (source: ParitySide, file: ParitySide)

  /// Opens the file as a program that runs it does, and checks that it describes the source.
  ///
  /// - Throws: `QuantizerError.differentModels`, `RuntimeError` when the file cannot be opened.
  init(source: any WeightSource, path: String, kernels: Kernels) throws {
    let file = try Model(path: path)
    guard file.description == source.model else {
      throw QuantizerError.differentModels(
        path: path,
        source: source.model.name,
        file: file.description.name
      )
    }
    let tensors = FileTensors(file, kernels: kernels)
    sides = (
      source: ParitySide(
        weights: StreamedWeights(source),
        cacheType: .float32,
        release: { source.release($0) }
      ),
      file: ParitySide(
        weights: tensors,
        cacheType: file.defaultCacheType,
        release: { tensors.release($0) }
      )
    )
    self.source = source
    self.file = file
    self.tensors = tensors
  }

  /// Gives back the pages of the file's and the source's tensors whose names start with `prefix`.
  func release(_ prefix: String) {
    for spec in file.plan.matrices where spec.name.utf8.starts(with: prefix.utf8) {
      sides.source.release(spec.name)
      sides.file.release(spec.name)
    }
  }
}
