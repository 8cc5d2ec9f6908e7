// SPDX-License-Identifier: Apache-2.0
// What a folder is: a checkpoint, or a fine-tuning of one that lies elsewhere.

internal import SEAFormat

/// A folder's layout, the fine-tuning to merge, and where its base is.
struct SourcePlace {
  let folder: CheckpointFolder
  let layout: SourceLayout
  let lowRank: LowRankFolder?
  /// The folder with the base weights when the configuration lies beside the fine-tuning.
  let base: CheckpointFolder?

  /// Looks at `source` and, where one is given, at the fine-tuning.
  ///
  /// - Throws: `CheckpointError`; `missing` with the command to type when a base is not there.
  static func find(
    _ source: CheckpointFolder,
    options: SourceOptions,
  ) throws(CheckpointError) -> SourcePlace {
    if let path = options.lowRankFolder {
      guard !LowRankFolder.isOne(source) else {
        throw .usage("--lora: \(source.path) is itself a low-rank fine-tuning")
      }
      return try join(try LowRankFolder(CheckpointFolder(path: path)), base: source)
    }
    guard LowRankFolder.isOne(source) else {
      let layout = try LayoutDetector.layout(of: source)
      return SourcePlace(folder: source, layout: layout, lowRank: nil, base: nil)
    }
    let lowRank = try LowRankFolder(source)
    if try holdsBase(source) {
      // TinyLLaVA Factory saves the frozen weights beside the factors.
      return SourcePlace(folder: source, layout: .tinyLLaVA, lowRank: lowRank, base: nil)
    }
    return try join(lowRank, base: try base(of: lowRank, options))
  }

  /// A fine-tuning of `base`: the configuration beside it describes pictures, or the base's own does.
  private static func join(
    _ lowRank: LowRankFolder,
    base: CheckpointFolder,
  ) throws(CheckpointError) -> SourcePlace {
    let own = try LayoutDetector.layout(of: base)
    let isJoined = try LayoutDetector.describesPictures(lowRank.folder)
    guard isJoined, [.languageModel, .llava, .cambrian].contains(own), base.hasWeights else {
      return SourcePlace(folder: base, layout: own, lowRank: lowRank, base: nil)
    }
    return SourcePlace(
      folder: lowRank.folder,
      layout: try LayoutDetector.layout(of: lowRank.folder, isFineTuning: true),
      lowRank: lowRank,
      base: base
    )
  }

  private static func base(
    of lowRank: LowRankFolder,
    _ options: SourceOptions,
  ) throws(CheckpointError) -> CheckpointFolder {
    if let path = options.languageFolder { return try CheckpointFolder(path: path) }
    let name = lowRank.config.baseName ?? ""
    let path = CheckpointFolder.resolve(name, from: lowRank.folder.path)
    guard !name.isEmpty, CheckpointFolder.isFolder(path) else {
      let found = name.isEmpty ? "not set" : "\"\(name.printable())\", which is no folder here"
      throw .missing(
        path: lowRank.config.path,
        advice: "base_model_name_or_path is \(found); fetch it and run: "
          + "sea convert \(lowRank.folder.path) --llm DIR -o OUT.sea",
      )
    }
    return try CheckpointFolder(path: path)
  }

  private static func holdsBase(_ folder: CheckpointFolder) throws(CheckpointError) -> Bool {
    guard folder.contains("config.json"),
      try LayoutDetector.layout(of: folder, isFineTuning: true) == .tinyLLaVA
    else { return false }
    return try folder.inner("language_model") != nil
  }
}

extension CheckpointFolder {
  /// A folder inside this one that holds weights, or nil.
  ///
  /// - Throws: `CheckpointError` when it cannot be listed.
  func inner(_ name: String) throws(CheckpointError) -> CheckpointFolder? {
    let path = path(of: name)
    guard Self.isFolder(path) else { return nil }
    let folder = try CheckpointFolder(path: path)
    return folder.hasAnyWeights ? folder : nil
  }
}
