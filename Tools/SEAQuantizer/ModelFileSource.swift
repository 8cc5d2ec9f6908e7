// SPDX-License-Identifier: Apache-2.0
// An f32 or bf16 model file as a source of weights.

import SEACheckpoint
package import SEAFormat
package import SEAModel
import SEARuntime
package import SEATensor
package import SEAText

/// The weights of a model file that has not lost more precision than bf16.
///
/// Everything that is not a weight (description, tokenizer, provenance) is there to be carried over.
package struct ModelFileSource: WeightSource {
  package let model: ModelDescription
  /// The file.
  package let file: ModelFile
  /// The compiled tokenizer, when the file has one.
  package let tokenizer: TokenizerTables?
  private let kernels: Kernels
  private let specs: [String: TensorSpec]

  /// Opens a file and checks every tensor against its description.
  ///
  /// - Throws: `RuntimeError` when the file is not what it says, `QuantizerError.alreadyQuantized`
  ///   naming the first int8 or int4 tensor.
  package init(path: String, kernels: Kernels) throws {
    let opened = try Model(path: path)
    var specs: [String: TensorSpec] = [:]
    for spec in opened.plan.all {
      guard spec.format == nil else {
        throw QuantizerError.alreadyQuantized(
          path: path,
          tensor: spec.name,
          storage: spec.storage.name
        )
      }
      specs[spec.name] = spec
    }
    file = opened.file
    model = opened.description
    tokenizer = TokenizerTables(opened.file)
    self.kernels = kernels
    self.specs = specs
  }

  package func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard let spec = specs[name] else { throw ModelError.missingTensor(name: name) }
    let matrix = try PlainMatrix(
      try file.tensor(name).bytes,
      rows: spec.rows,
      columns: spec.columns,
      storage: spec.elementType == .float32 ? .float32 : .bfloat16
    )
    for (index, row) in rows.enumerated() {
      kernels.unpack(matrix, row: row, into: out.rows(index..<index + 1))
    }
  }

  package func release(_ name: String) {
    guard let info = file.info(name) else { return }
    file.mapping.release(info.range)
  }

  /// Where a file made of this one comes from: this file with its SHA-256, and what it says itself.
  ///
  /// Reads the whole file once.
  package func provenance() -> JSONValue {
    let name = file.path.split(separator: "/").suffix(2).joined(separator: "/")
    return [
      "layout": "sea",
      "inputs": [
        [
          "file": .string(name),
          "bytes": .number(JSONNumber(file.mapping.count)),
          "sha256": .string(SourceModel.digest(of: file.mapping)),
        ]
      ],
      "from": file.manifest.provenance,
    ]
  }
}

extension TokenizerTables {
  /// The tables of a model file, or nil when it has none.
  init?(_ file: ModelFile) {
    guard file.info(Name.settings) != nil else { return nil }
    self.init { name in try? file.tensor(name).bytes }
  }
}
