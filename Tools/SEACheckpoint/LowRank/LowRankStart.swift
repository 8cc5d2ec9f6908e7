// SPDX-License-Identifier: Apache-2.0
// A low-rank fine-tuning as factors of their own, to go on training from.

internal import SEAFormat
package import SEAModel
package import SEATensor

/// The factors of a PEFT folder, and what was trained whole beside them, under canonical names.
///
/// Factors of `llm.blk.3.attn.q.weight` are `llm.blk.3.attn.q.lora_a` and `.lora_b`.
package struct LowRankStart: WeightSource {
  /// The folder as given.
  package let path: String
  package let model: ModelDescription
  package let rank: Int
  package let alpha: Double
  /// Last parts of the names of layers with factors, as `q`.
  package let layers: Set<String>
  /// Every file that was opened.
  package let openedPaths: [String]
  private let tensors: [String: SourceTensor]

  /// Opens a folder.
  ///
  /// - Parameters:
  ///   - path: a folder with adapter_config.json.
  ///   - model: what it is a fine-tuning of.
  /// - Throws: `CheckpointError`; `unsupported` for factors that are not those of single matrices of a
  ///   language model's blocks, at one rank and scale.
  package init(path: String, model: ModelDescription) throws(CheckpointError) {
    let folder = try LowRankFolder(CheckpointFolder(path: path))
    let factors = try LowRankFactors(folder.weights, config: folder.config)
    guard let first = factors.pairs.first else {
      throw .malformed(path: path, problem: "no low-rank factors here")
    }
    let (rank, scale) = (first.a.rows, folder.config.scale(of: first.module))
    var tensors: [String: SourceTensor] = [:]
    var layers: Set<String> = []
    for pair in factors.pairs {
      let names = NameMap.mapping(of: "\(pair.module).weight").names
      let parts = names.first?.split(separator: ".") ?? []
      guard names.count == 1, parts.starts(with: ["llm", "blk"]), parts.count == 6,
        !pair.isEmbedding, !folder.config.isTransposed, pair.a.rows == rank,
        folder.config.scale(of: pair.module) == scale
      else {
        throw .unsupported(
          path: path,
          what: "going on with the factors of \(pair.module.printable()): expected those of single "
            + "matrices of the language model's blocks, all at one rank and scale"
        )
      }
      let stem = parts.dropLast().joined(separator: ".")
      tensors["\(stem).lora_a"] = pair.a
      tensors["\(stem).lora_b"] = pair.b
      layers.insert(String(parts[4]))
    }
    let whole =
      factors.whole
      + (folder.whole?.tensors ?? []).map { (tensor: $0, name: folder.wholeName($0.name)) }
    for (tensor, name) in whole {
      guard case .tensor(let canonical) = NameMap.mapping(of: name),
        [.adapter, .vision].contains(ModelPart(canonical: canonical))
      else {
        throw .unsupported(path: path, what: "going on with '\(tensor.name.printable())'")
      }
      tensors[canonical] = tensor
    }
    self.path = path
    self.model = model
    self.rank = rank
    self.alpha = Double(scale) * Double(rank)
    self.layers = layers
    openedPaths = folder.paths
    self.tensors = tensors
  }

  /// True when it has a tensor of this canonical name.
  package func contains(_ name: String) -> Bool { tensors[name] != nil }

  /// Rows and columns of a tensor; zero for one that is not there.
  package func size(of name: String) -> (rows: Int, columns: Int) {
    tensors[name].map { ($0.rows, $0.columns) } ?? (0, 0)
  }

  package func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard let tensor = tensors[name] else { throw ModelError.missingTensor(name: name) }
    var values: [Float] = []
    tensor.readRows(rows, into: &values)
    out.copy(from: values)
  }

  package func release(_ name: String) { tensors[name]?.release() }
}
