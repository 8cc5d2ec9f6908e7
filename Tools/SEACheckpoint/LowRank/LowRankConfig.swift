// SPDX-License-Identifier: Apache-2.0
// adapter_config.json: how the factors of a low-rank fine-tuning are to be added.

internal import SEAFormat

/// What the configuration of a low-rank fine-tuning says.
///
/// - Source: reference.md D.4; the keys are those of `peft.LoraConfig`.
struct LowRankConfig {
  let path: String
  /// What the fine-tuning started from: a path, or a hub id.
  let baseName: String?
  /// Names of the modules with factors, matched at the end of a path; nil for a pattern.
  let targets: [String]?
  /// Names that are exempt although a target matches, or nil for a pattern.
  let exempt: [String]?
  /// Numbers of the blocks with factors; nil: all.
  let blocks: [Int]?
  /// Modules saved whole.
  let savedModules: [String]
  /// Factors are those of the transposed matrix.
  let isTransposed: Bool

  private let rank: Int
  private let alpha: Double
  private let dividesByRoot: Bool
  private let ranks: [(pattern: String, value: Double)]
  private let alphas: [(pattern: String, value: Double)]

  /// Ranks beyond this belong to no fine-tuning.
  private static let maxRank = 65_536

  /// Reads the keys.
  ///
  /// - Throws: `CheckpointError` naming the key; variants whose sum is another one are `unsupported`.
  init(_ config: ConfigReader) throws(CheckpointError) {
    try Self.refuseVariants(config)
    path = config.path
    baseName = try config.string("base_model_name_or_path")
    targets = try Self.names("target_modules", config)
    exempt = config.value("exclude_modules") == nil ? [] : try Self.names("exclude_modules", config)
    let listed = try config.ids("layers_to_transform")
    blocks = listed.isEmpty ? nil : listed
    savedModules = try Self.names("modules_to_save", config) ?? []
    isTransposed = try config.bool("fan_in_fan_out", default: false)
    rank = try config.int("r", default: 8, in: 1...Self.maxRank)
    alpha = try config.positive("lora_alpha", default: 8, atMost: 1e9)
    dividesByRoot = try config.bool("use_rslora", default: false)
    ranks = try Self.patterns("rank_pattern", config)
    alphas = try Self.patterns("alpha_pattern", config)
    for (pattern, value) in ranks where !(value >= 1 && value <= Double(Self.maxRank)) {
      throw config.fault("rank_pattern.\(pattern)", "\(value), expected 1 to \(Self.maxRank)")
    }
  }

  /// The rank of a module's factors.
  ///
  /// - Parameter module: its path inside the base model, as `model.layers.0.self_attn.q_proj`.
  /// - Returns: the rank.
  func rank(of module: String) -> Int {
    ranks.first { Self.ends(module, with: $0.pattern) }.map { Int($0.value) } ?? rank
  }

  /// What the product of a module's factors is multiplied with.
  func scale(of module: String) -> Float {
    let alpha = alphas.first { Self.ends(module, with: $0.pattern) }?.value ?? alpha
    let rank = Double(rank(of: module))
    return Float(alpha / (dividesByRoot ? rank.squareRoot() : rank))
  }

  /// True when the last names of the path `module` are those of `name`.
  static func ends(_ module: String, with name: String) -> Bool {
    module == name || module.hasSuffix("." + name)
  }
}

// MARK: - Reading

extension LowRankConfig {
  /// Refuses variants of the method whose merged weight is not W + scale · B · A.
  private static func refuseVariants(_ config: ConfigReader) throws(CheckpointError) {
    let type = try config.string("peft_type") ?? "LORA"
    guard type == "LORA" else {
      throw .unsupported(path: config.path, what: "peft_type \"\(type.printable())\", only LORA")
    }
    for key in ["use_dora", "use_qalora", "use_bdlora", "lora_bias"] {
      guard try !config.bool(key, default: false) else {
        throw .unsupported(path: config.path, what: key)
      }
    }
    let structures = [
      "layer_replication", "target_parameters", "trainable_token_indices",
      "alora_invocation_tokens",
      "arrow_config", "velora_config", "monteclora_config", "kasa_config",
    ]
    for key in structures {
      guard let value = config.value(key), value.array?.isEmpty != true,
        value.object?.isEmpty != true
      else { continue }
      throw .unsupported(path: config.path, what: key)
    }
    // These start from changed base weights, which the factors alone do not tell.
    let start = config.value("init_lora_weights")?.string ?? ""
    for method in ["pissa", "olora", "corda", "loftq", "lora_ga"] where start.hasPrefix(method) {
      throw .unsupported(
        path: config.path,
        what: "init_lora_weights \"\(start.printable())\", which changes the base weights; "
          + "save the fine-tuning converted to an ordinary one",
      )
    }
  }

  /// A list of names, or nil when the key is absent or holds a pattern.
  private static func names(
    _ key: String,
    _ config: ConfigReader,
  ) throws(CheckpointError) -> [String]? {
    guard let value = config.value(key) else { return nil }
    if value.string != nil { return nil }
    let names = (value.array ?? []).compactMap(\.string)
    guard let items = value.array, names.count == items.count, names.allSatisfy({ !$0.isEmpty })
    else { throw config.fault(key, "\(value.kind), expected names") }
    return names
  }

  /// Numbers by module name; names may be written as patterns that match only themselves.
  private static func patterns(
    _ key: String,
    _ config: ConfigReader,
  ) throws(CheckpointError) -> [(pattern: String, value: Double)] {
    guard let object = config.value(key)?.object else {
      guard config.value(key) == nil else {
        throw config.fault(key, "expected an object of numbers")
      }
      return []
    }
    var patterns: [(pattern: String, value: Double)] = []
    for (name, value) in object.entries {
      var plain = name.replacing("\\.", with: ".")
      if plain.hasPrefix("^") { plain.removeFirst() }
      if plain.hasSuffix("$") { plain.removeLast() }
      guard TensorName.isPlain(plain), !plain.contains(where: { "*+?()[]{}|\\^$".contains($0) })
      else {
        throw .unsupported(
          path: config.path,
          what: "\(key) with the pattern \"\(name.printable())\"; names of modules are",
        )
      }
      guard let number = value.double, number > 0 else {
        throw config.fault("\(key).\(plain)", "\(ConfigReader.show(value)), expected a number")
      }
      patterns.append((plain, number))
    }
    return patterns
  }
}
