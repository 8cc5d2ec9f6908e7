// SPDX-License-Identifier: Apache-2.0
// Every tensor of a model, once: the converter checks against it, the runtime binds from it.

/// The tensors that a description asks for, in file order: matrices as they are read during a forward
/// pass, then f32 vectors.
package struct TensorPlan: Sendable {
  /// Weight matrices, in order of use.
  package private(set) var matrices: [TensorSpec] = []
  /// f32 vectors and small tables, in order of use.
  package private(set) var vectors: [TensorSpec] = []

  private let policy: PrecisionPolicy

  /// The plan of a description stored by a policy.
  ///
  /// - Throws: `ModelError` when a packed layout cannot hold a matrix.
  package init(_ description: ModelDescription, policy: PrecisionPolicy) throws(ModelError) {
    self.policy = policy
    if let encoder = description.encoder { add(encoder) }
    if let tower = description.textTower { add(tower) }
    if let adapter = description.adapter { add(adapter) }
    if let language = description.language { add(language) }
    for spec in matrices where spec.byteCount == 0 {
      throw .invalid(
        field: "quantization.\(spec.role.rawValue)",
        found: spec.storage.name,
        expected: "a storage that can hold \(spec.rows)×\(spec.columns)"
      )
    }
  }

  /// All tensors in file order (tokenizer tensors stand between the two parts).
  package var all: [TensorSpec] { matrices + vectors }

  /// Bytes of all tensors.
  package var byteCount: Int { all.reduce(0) { $0 + $1.byteCount } }

  mutating func matrix(_ name: String, _ rows: Int, _ columns: Int, _ role: TensorRole) {
    matrices.append(
      TensorSpec(
        name: name,
        rows: rows,
        columns: columns,
        role: role,
        storage: policy.storage(of: name, role: role)
      )
    )
  }

  mutating func vector(_ name: String, _ count: Int, rows: Int = 1) {
    vectors.append(
      TensorSpec(name: name, rows: rows, columns: count, role: .vector, storage: .float32)
    )
  }

  mutating func norm(_ name: String, _ width: Int) {
    vector("\(name).weight", width)
    vector("\(name).bias", width)
  }
}

// MARK: - Parts

extension TensorPlan {
  /// Vision tensors: `vision.*`.
  private mutating func add(_ encoder: EncoderDescription) {
    let hidden = encoder.hidden
    matrix("vision.patch.weight", hidden, encoder.patchValues, .patchEmbedding)
    if encoder.hasPatchBias { vector("vision.patch.bias", hidden) }
    if encoder.hasClassToken { vector("vision.class", hidden) }
    vector("vision.position", hidden, rows: encoder.rows)
    if encoder.hasPreNorm { norm("vision.prenorm", hidden) }
    for block in 0..<encoder.blocks {
      addBlock("vision.blk.\(block)", hidden, encoder.ffn, .encoderLinear)
    }
    if encoder.hasFinalNorm { norm("vision.norm", hidden) }
    if let width = encoder.projection { matrix("vision.proj.weight", width, hidden, .jointLinear) }
    if encoder.hasPoolingHead {
      vector("vision.head.probe", hidden)
      addAttention("vision.head", hidden, .encoderLinear)
      norm("vision.head.norm", hidden)
      addMLP("vision.head", hidden, encoder.ffn, .encoderLinear)
    }
  }

  /// Text tower tensors: `vtext.*`.
  private mutating func add(_ tower: TextTowerDescription) {
    let hidden = tower.hidden
    matrix("vtext.embed.weight", tower.vocab, hidden, .textTowerLinear)
    vector("vtext.position", hidden, rows: tower.context)
    for block in 0..<tower.blocks {
      addBlock("vtext.blk.\(block)", hidden, tower.ffn, .textTowerLinear)
    }
    norm("vtext.norm", hidden)
    if let projection = tower.projection {
      matrix("vtext.proj.weight", projection.width, hidden, .jointLinear)
      if projection.hasBias { vector("vtext.proj.bias", projection.width) }
    }
  }

  /// A block of either tower: every layer has a bias.
  private mutating func addBlock(_ name: String, _ hidden: Int, _ ffn: Int, _ role: TensorRole) {
    norm("\(name).norm1", hidden)
    addAttention(name, hidden, role)
    norm("\(name).norm2", hidden)
    addMLP(name, hidden, ffn, role)
  }

  private mutating func addAttention(_ name: String, _ hidden: Int, _ role: TensorRole) {
    for part in ["q", "k", "v", "o"] {
      matrix("\(name).attn.\(part).weight", hidden, hidden, role)
      vector("\(name).attn.\(part).bias", hidden)
    }
  }

  private mutating func addMLP(_ name: String, _ hidden: Int, _ ffn: Int, _ role: TensorRole) {
    matrix("\(name).mlp.fc1.weight", ffn, hidden, role)
    vector("\(name).mlp.fc1.bias", ffn)
    matrix("\(name).mlp.fc2.weight", hidden, ffn, role)
    vector("\(name).mlp.fc2.bias", hidden)
  }

  /// Adapter tensors: `adapter.N.*`.
  private mutating func add(_ adapter: AdapterDescription) {
    for layer in 0..<adapter.layers {
      matrix(
        "adapter.\(layer).weight",
        adapter.widths[layer + 1],
        adapter.widths[layer],
        .adapterLinear
      )
      vector("adapter.\(layer).bias", adapter.widths[layer + 1])
    }
    if adapter.hasNewline { vector("adapter.newline", adapter.outputWidth) }
  }

  /// Language model tensors: `llm.*`.
  ///
  /// Norm weights hold the factor itself (Gemma's 1 is folded in).
  private mutating func add(_ language: LanguageModelDescription) {
    let hidden = language.hidden
    matrix("llm.embed.weight", language.vocab, hidden, .embeddingTable)
    for block in 0..<language.blocks {
      let name = "llm.blk.\(block)"
      vector("\(name).norm1.weight", hidden)
      matrix("\(name).attn.q.weight", language.queryWidth, hidden, .languageLinear)
      matrix("\(name).attn.k.weight", language.kvWidth, hidden, .languageLinear)
      matrix("\(name).attn.v.weight", language.kvWidth, hidden, .languageLinear)
      matrix("\(name).attn.o.weight", hidden, language.queryWidth, .languageLinear)
      vector("\(name).norm2.weight", hidden)
      matrix("\(name).mlp.gate.weight", language.ffn, hidden, .languageLinear)
      matrix("\(name).mlp.up.weight", language.ffn, hidden, .languageLinear)
      matrix("\(name).mlp.down.weight", hidden, language.ffn, .languageLinear)
    }
    vector("llm.norm.weight", hidden)
    if !language.isHeadTied { matrix("llm.head.weight", language.vocab, hidden, .languageHead) }
  }
}
