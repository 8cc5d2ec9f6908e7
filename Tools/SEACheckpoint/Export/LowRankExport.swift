// SPDX-License-Identifier: Apache-2.0
// A low-rank fine-tuning as PEFT and LLaVA save it: factors, what was trained whole, configurations.

internal import SEAFormat
internal import SEAImage
package import SEAModel
internal import SEATensor

/// Writes trained factors and the weights that were trained beside them.
package struct LowRankExport {
  /// The model that was tuned.
  package let model: ModelDescription
  /// Folder of the language model or of the whole model that it started from.
  package let baseFolder: String
  /// Folder of the encoder; nil: the base's own.
  package let visionFolder: String?
  package let rank: Int
  package let alpha: Double
  package let dropout: Double
  /// Canonical names of what was trained, factors as `llm.blk.3.attn.q.lora_a`.
  package let trained: Set<String>
  /// The values of a trained tensor, row by row.
  package let values: (String) -> [Float]

  /// Memberwise; see the properties.
  package init(
    model: ModelDescription,
    baseFolder: String,
    visionFolder: String?,
    rank: Int,
    alpha: Double,
    dropout: Double,
    trained: Set<String>,
    values: @escaping (String) -> [Float]
  ) {
    self.model = model
    self.baseFolder = baseFolder
    self.visionFolder = visionFolder
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.trained = trained
    self.values = values
  }

  /// A module with factors: its path, its shape, and the canonical layers whose rows stand in it.
  private struct Module {
    let path: String
    let rows: [Int]
    let columns: Int
    let stems: [String]

    /// The last part of the path.
    var name: String { path.split(separator: ".").last.map(String.init) ?? path }
  }

  /// Writes `adapter_config.json`, `adapter_model.safetensors`, and where pictures are seen
  /// `non_lora_trainables` and LLaVA's `config.json`; the folder appears when it is complete.
  ///
  /// - Parameter target: the folder, which must not exist or be empty.
  /// - Throws: `CheckpointError`.
  /// - Source: reference.md D.4; LLaVA `train.py`, PEFT `save_pretrained`.
  package func write(to target: String) throws(CheckpointError) {
    let plan = try plan()
    let modules = modules(of: plan)
    let folder = try ExportFolder(path: target)
    try writeFactors(modules, to: folder.file("adapter_model.safetensors"))
    try writeWhole(plan, in: folder)
    try folder.write(config(modules), to: "adapter_config.json")
    if let config = try modelConfig() { try folder.write(config, to: "config.json") }
    try folder.commit()
  }

  /// Refuses what has no place in the layout, before anything is trained.
  ///
  /// - Throws: `CheckpointError`.
  package func check() throws(CheckpointError) {
    let plan = try plan()
    let placed = Set(modules(of: plan).flatMap(\.stems)).union(
      (plan.main + plan.tower).flatMap { $0.parts.map(\.name) }
    )
    for name in trained {
      let stem = stem(of: name) ?? name
      guard !placed.contains(stem) else { continue }
      throw .unsupported(path: baseFolder, what: "a fine-tuning of '\(name)'")
    }
    _ = try modelConfig()
  }

  private func plan() throws(CheckpointError) -> ExportPlan {
    guard let language = model.language, let family = LanguageFamily(rawValue: language.family)
    else { throw .unsupported(path: baseFolder, what: "export of this language model") }
    do throws(ModelError) {
      return try ExportPlan(model, .llava, family: family)
    } catch {
      throw .model(path: baseFolder, error)
    }
  }

  private func stem(of factor: String) -> String? {
    for suffix in [".lora_a", ".lora_b"] where factor.hasSuffix(suffix) {
      return String(factor.dropLast(suffix.count))
    }
    return nil
  }

  private func modules(of plan: ExportPlan) -> [Module] {
    plan.main.compactMap { tensor in
      let stems = tensor.parts.map { part in
        part.name.hasSuffix(".weight") ? String(part.name.dropLast(".weight".count)) : part.name
      }
      guard stems.contains(where: { trained.contains($0 + ".lora_a") }),
        let columns = tensor.parts.first?.columns
      else { return nil }
      return Module(
        path: String(tensor.name.dropLast(".weight".count)),
        rows: tensor.parts.map(\.rows),
        columns: columns,
        stems: stems
      )
    }
  }

  // MARK: - Factors

  /// A stacked matrix gets the factors of its parts one above the other, and side by side in blocks:
  /// its rank is the sum of theirs, and their products stand where their rows do.
  private func writeFactors(_ modules: [Module], to path: String) throws(CheckpointError) {
    var tensors: [SafetensorsTensor] = []
    func names(_ module: Module) -> (a: String, b: String) {
      let stem = "base_model.model.\(module.path)"
      return ("\(stem).lora_A.weight", "\(stem).lora_B.weight")
    }
    for module in modules {
      let (rank, rows) = (rank * module.stems.count, module.rows.reduce(0, +))
      tensors.append(SafetensorsTensor(names(module).a, .float32, [rank, module.columns]))
      tensors.append(SafetensorsTensor(names(module).b, .float32, [rows, rank]))
    }
    do throws(FormatError) {
      var writer = try SafetensorsWriter(
        path: path,
        tensors: tensors,
        metadata: [("format", "pt")]
      )
      for module in modules {
        try writer.write(a(of: module), to: names(module).a)
        try writer.write(b(of: module), to: names(module).b)
      }
      try writer.finish()
    } catch {
      throw .format(error)
    }
  }

  private func a(of module: Module) -> [Float] {
    module.stems.flatMap { stem in
      trained.contains(stem + ".lora_a")
        ? values(stem + ".lora_a") : [Float](repeating: 0, count: rank * module.columns)
    }
  }

  private func b(of module: Module) -> [Float] {
    let width = rank * module.stems.count
    var result: [Float] = []
    result.reserveCapacity(width * module.rows.reduce(0, +))
    for (index, stem) in module.stems.enumerated() {
      let own = trained.contains(stem + ".lora_b") ? values(stem + ".lora_b") : nil
      for row in 0..<module.rows[index] {
        var line = [Float](repeating: 0, count: width)
        if let own {
          line.replaceSubrange(
            index * rank..<(index + 1) * rank,
            with: own[row * rank..<(row + 1) * rank]
          )
        }
        result += line
      }
    }
    return result
  }

  private func config(_ modules: [Module]) -> JSONValue {
    func numbers(_ values: [(String, Double)]) -> JSONValue {
      .object(JSONObject(values.map { (key: $0.0, value: .number(JSONNumber($0.1))) }))
    }
    let stacked = Dictionary(
      modules.filter { $0.stems.count > 1 }.map { ($0.name, Double($0.stems.count)) },
      uniquingKeysWith: { first, _ in first }
    ).sorted { $0.key < $1.key }
    let targets = Set(modules.map(\.name)).sorted()
    return [
      "alpha_pattern": numbers(stacked.map { ($0.key, $0.value * alpha) }),
      "base_model_name_or_path": .string(baseFolder),
      "bias": "none",
      "fan_in_fan_out": false,
      "inference_mode": true,
      "init_lora_weights": true,
      "lora_alpha": .number(JSONNumber(alpha)),
      "lora_dropout": .number(JSONNumber(dropout)),
      "modules_to_save": .null,
      "peft_type": "LORA",
      "r": .number(JSONNumber(rank)),
      "rank_pattern": .object(
        JSONObject(
          stacked.map { (key: $0.key, value: .number(JSONNumber(Int($0.value) * rank))) }
        )
      ),
      "target_modules": .array(targets.map { .string($0) }),
      "task_type": "CAUSAL_LM",
      "use_dora": false,
      "use_rslora": false,
    ]
  }

  // MARK: - Weights trained whole

  /// The adapter as LLaVA's torch file; with an encoder, which may be large, as safetensors.
  private func writeWhole(_ plan: ExportPlan, in folder: ExportFolder) throws(CheckpointError) {
    func chosen(_ tensors: [ExportTensor]) -> [ExportTensor] {
      tensors.filter { $0.parts.count == 1 && trained.contains($0.parts[0].name) }
    }
    let main = chosen(plan.main).map { (name: "base_model.model." + $0.name, tensor: $0) }
    let tower = chosen(plan.tower).map {
      (name: "base_model.model.model.vision_tower.vision_tower." + $0.name, tensor: $0)
    }
    guard !main.isEmpty || !tower.isEmpty else { return }
    guard !tower.isEmpty else {
      let tensors = main.map {
        TorchTensor(
          name: $0.name,
          shape: $0.tensor.shape,
          values: values($0.tensor.parts[0].name)
        )
      }
      try TorchWriter.write(tensors, to: folder.file("non_lora_trainables.bin"))
      return
    }
    do throws(FormatError) {
      var writer = try SafetensorsWriter(
        path: folder.file("non_lora_trainables.safetensors"),
        tensors: (main + tower).map { SafetensorsTensor($0.name, .float32, $0.tensor.shape) },
        metadata: [("format", "pt")]
      )
      for entry in main + tower {
        try writer.write(values(entry.tensor.parts[0].name), to: entry.name)
      }
      try writer.finish()
    } catch {
      throw .format(error)
    }
  }

  /// The base's configuration with LLaVA's keys; nil where no pictures are seen, or where the base's
  /// own is of another layout and describes them already.
  private func modelConfig() throws(CheckpointError) -> JSONValue? {
    guard let adapter = model.adapter, let encoder = model.encoder else { return nil }
    let base = try CheckpointFolder(path: baseFolder)
    guard let own = try base.json("config.json"), own["text_config"] == nil,
      own["llm_config"] == nil
    else { return nil }
    // A folder is named in full, as the base's place tells; a hub's name stays one.
    let tower = own["mm_vision_tower"]?.string.map { name in
      let path = CheckpointFolder.resolve(name, from: base.path)
      return CheckpointFolder.isFolder(path) ? path : name
    }
    return try ProjectorExport(
      adapter: adapter,
      tensors: [:],
      languageFolder: baseFolder,
      visionFolder: visionFolder ?? tower ?? baseFolder,
      encoder: encoder,
      padsPictures: model.recipe?.padFill != nil
    ).config()
  }
}
