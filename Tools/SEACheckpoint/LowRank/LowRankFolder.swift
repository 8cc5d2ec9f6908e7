// SPDX-License-Identifier: Apache-2.0
// A folder with a low-rank fine-tuning: factors, and weights that were trained whole.

internal import SEAFormat

/// A low-rank fine-tuning, opened.
///
/// - Source: reference.md D.4; LLaVA `builder.py`.
struct LowRankFolder {
  let folder: CheckpointFolder
  let config: LowRankConfig
  /// The factors and what was saved beside them.
  let weights: WeightSet
  /// Weights that were trained whole, where there are such.
  let whole: WeightSet?

  /// The file that makes a folder a low-rank fine-tuning's.
  static let configName = "adapter_config.json"
  private static let weightNames = ["adapter_model.safetensors", "adapter_model.bin"]
  private static let wholeNames = ["non_lora_trainables.safetensors", "non_lora_trainables.bin"]

  /// True when `folder` holds a low-rank fine-tuning.
  static func isOne(_ folder: CheckpointFolder) -> Bool {
    ([configName] + wholeNames).contains { folder.contains($0) }
  }

  /// Opens the fine-tuning in `folder`.
  ///
  /// - Throws: `CheckpointError`; `missing` when a file is not there.
  init(_ folder: CheckpointFolder) throws(CheckpointError) {
    guard let json = try folder.json(Self.configName) else {
      throw .missing(path: folder.path, advice: "no \(Self.configName) here")
    }
    config = try LowRankConfig(ConfigReader(json, path: folder.path(of: Self.configName)))
    guard let name = Self.weightNames.first(where: { folder.contains($0) }) else {
      throw .missing(path: folder.path, advice: "no adapter_model.safetensors or .bin here")
    }
    weights = try WeightSet(file: folder.path(of: name))
    if let name = Self.wholeNames.first(where: { folder.contains($0) }) {
      whole = try WeightSet(file: folder.path(of: name))
    } else {
      whole = nil
    }
    self.folder = folder
  }

  /// Every file that was opened.
  var paths: [String] { [config.path] + weights.paths + (whole?.paths ?? []) }

  /// The name inside the base model of a weight that was trained whole.
  ///
  /// Training programs save these under a doubled prefix, or under none.
  func wholeName(_ name: String) -> String {
    let inner = name.dropping("base_model.") ?? Substring(name)
    guard isDoubled, let rest = inner.dropping("model.") else { return Self.plain(inner) }
    return Self.plain(rest)
  }

  private var isDoubled: Bool {
    whole?.tensors.contains {
      ($0.name.dropping("base_model.") ?? Substring($0.name)).hasPrefix("model.model.")
    } ?? false
  }

  /// A name without what the wrapping of a module adds to it.
  static func plain(_ name: Substring) -> String {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if let index = parts.firstIndex(of: "modules_to_save") {
      // The wrapper holds one copy for each fine-tuning, by its name.
      parts.removeSubrange(index..<min(index + (parts.count > index + 2 ? 2 : 1), parts.count))
    }
    parts.removeAll { $0 == "base_layer" }
    return parts.joined(separator: ".")
  }
}
