// SPDX-License-Identifier: Apache-2.0
// Descriptions of models small enough for differences.

import SEALayers
import SEAModel
import SEATensor

enum TinyDescriptions {
  static func language(window: Int) -> LanguageModelDescription {
    LanguageModelDescription(
      family: "tiny",
      blocks: 1,
      hidden: 10,
      heads: 4,
      kvHeads: 2,
      headDim: 6,
      ffn: 14,
      vocab: 20,
      activation: .silu,
      epsilon: 1e-5,
      ropeTheta: 10_000,
      slidingWindow: window,
      isHeadTied: false,
      embeddingScale: 1,
      maxPositions: 64
    )
  }

  static func encoder(isCLIP: Bool, appliesFinalNorm: Bool) -> EncoderDescription {
    EncoderDescription(
      family: "tiny",
      imageSide: 9,
      patchSide: 4,
      hidden: 8,
      blocks: 2,
      heads: 2,
      ffn: 12,
      activation: .quickGelu,
      epsilon: 1e-5,
      hasClassToken: isCLIP,
      hasPatchBias: !isCLIP,
      hasPreNorm: isCLIP,
      hasFinalNorm: true,
      selection: FeatureSelection(
        layer: 1,
        appliesFinalNorm: appliesFinalNorm,
        dropsFirst: isCLIP
      )
    )
  }
}

extension ParameterSet {
  /// The parameters of a block of either tower.
  mutating func addTowerBlock(_ name: String, hidden: Int, ffn: Int) throws {
    func add(_ part: String, _ rows: Int, _ columns: Int) throws {
      for (suffix, height, width) in [("weight", rows, columns), ("bias", 1, rows)] {
        let isNorm = rows == 1
        try self.add(
          Parameter(
            "\(name).\(part).\(suffix)",
            rows: isNorm ? 1 : height,
            columns: isNorm ? columns : width,
            storage: .float32,
            isTrained: true
          )
        )
      }
    }
    try add("norm1", 1, hidden)
    for part in ["q", "k", "v", "o"] { try add("attn.\(part)", hidden, hidden) }
    try add("norm2", 1, hidden)
    try add("mlp.fc1", ffn, hidden)
    try add("mlp.fc2", hidden, ffn)
  }
}

extension TensorPlan {
  /// The line of one matrix, taken from the plan of a model that has it.
  static func one(_ name: String, _ rows: Int, _ columns: Int) throws -> TensorSpec {
    var language = TinyDescriptions.language(window: 0)
    (language.ffn, language.hidden) = (rows, columns)
    let plan = try TensorPlan(
      ModelDescription(name: "one", language: language),
      policy: PrecisionPolicy(all: .float32)
    )
    guard let spec = plan.all.first(where: { $0.name == name }) else {
      throw ModelError.missingTensor(name: name)
    }
    return spec
  }
}

/// A source of one tensor.
struct OneTensor: WeightSource {
  let model = ModelDescription(name: "one")
  let values: MatrixView<Float>

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    out.copy(from: values.rows(rows))
  }

  func release(_ name: String) {}
}
