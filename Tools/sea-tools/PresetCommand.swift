// SPDX-License-Identifier: Apache-2.0
// `sea preset`: a model file of full-size shapes with random weights.

import ArgumentParser
import SEACommandLine
import SEAFormat
import SEAModel
import SEAQuantizer
import SEATensor

struct PresetCommand: SEACommand {
  static let configuration = CommandConfiguration(
    commandName: "preset",
    abstract: "Make a full-size model of random weights, for measuring.",
    discussion: """
      Shapes are those of published models; the values are drawn at random and all differ, so timings \
      are those of the real model and answers mean nothing. Without a name, lists the presets.
      """
  )

  @Argument(help: "The preset; none lists them.")
  var name: String?

  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The model file to write.", valueName: "file"),
    transform: Checked.text
  )
  var path: String?

  @Flag(help: "Write into the cache that 'sea bench --preset' uses, where one large model is kept.")
  var cache = false

  @Option(
    help: ArgumentHelp("How weights are stored: f32, bf16, int8 or int4.", valueName: "type"),
    transform: Checked.choice(WeightChoice.allCases.map { ($0.rawValue, $0) })
  )
  var weights = WeightChoice.int8

  @Option(
    help: ArgumentHelp("Chooses the values.", valueName: "n"),
    transform: Checked.seed
  )
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Folder of preset files (default: SEA_PRESETS, else the package's own).",
      valueName: "folder"
    ),
    transform: Checked.text
  )
  var presets: String?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard name != nil else {
      guard path == nil, !cache else { throw ValidationError("missing the name of a preset") }
      return
    }
    guard (path != nil) != cache else {
      throw ValidationError("give either -o FILE or --cache")
    }
    guard !cache || seed == 0 else {
      throw ValidationError("--cache keeps models of seed 0 only")
    }
  }

  func run(_ console: Console) throws {
    _ = try compute.kernels()
    let folder = try presets ?? System.environment("SEA_PRESETS") ?? Self.folder()
    guard let name else { return try list(folder, console) }
    let preset: Preset
    do throws(PresetError) {
      preset = try Preset(named: name, in: folder)
    } catch {
      guard case .unknown = error else { throw error }
      throw CommandError(
        .usage,
        "\(error)",
        hints: ["presets: \(Self.names(in: folder).joined(separator: ", "))"]
      )
    }
    let writer = PresetWriter(
      preset,
      policy: policy,
      seed: seed,
      pool: WorkerPool(threads: compute.threadCount)
    )
    let target = try path ?? cached(name, bytes: try writer.byteCount(), console)
    if cache { console.terminal.note("making a model of preset '\(name)' for the cache") }
    let start = System.seconds
    do {
      try writer.write(
        to: target,
        progress: { progress in
          console.terminal.progress(
            "write \(name)",
            done: progress.done,
            total: progress.total,
            unit: Quantity.bytes,
            since: start
          )
        },
        isCancelled: { Interruption.status != nil }
      )
    } catch QuantizerError.cancelled {
      try Interruption.check()
      throw QuantizerError.cancelled
    }
    let bytes = System.size(of: target) ?? 0
    let seconds = max(System.seconds - start, 1e-6)
    console.terminal.clearProgress()
    console.explain(
      "written in \(Quantity.duration(seconds)), "
        + "\(Quantity.bytes(Int(Double(bytes) / seconds)))/s"
    )
    if console.isJSON {
      try console.output.object(
        schema: "sea.preset.made/1",
        [
          ("preset", .string(name)), ("output", .string(target)),
          ("weights", .string(weights.rawValue)), ("bytes", .number(JSONNumber(bytes))),
        ]
      )
    } else if !output.quiet {
      try console.output.line(
        "\(target.printable(limit: 4096)): \(preset.summary), \(weights.rawValue), "
          + "\(Quantity.bytes(bytes)), random weights"
      )
    }
  }

  private var policy: PrecisionPolicy {
    switch weights {
    case .float32: PrecisionPolicy(all: .float32)
    case .bfloat16: PrecisionPolicy(all: .bfloat16)
    case .int8: .int8(group: 128)
    case .int4: .int4
    }
  }

  // MARK: - Cache

  /// Makes room for a preset in the cache: one large model is kept.
  ///
  /// - Returns: the path to write to.
  /// - Throws: `CommandError` (71) when it is too large for the cache or the disk, before anything is
  ///   removed.
  private func cached(_ name: String, bytes: Int, _ console: Console) throws -> String {
    guard bytes <= PresetCache.maxBytes else {
      throw CommandError(
        .system,
        "preset '\(name)' as \(weights.rawValue) takes \(Quantity.bytes(bytes)), "
          + "the cache holds \(Quantity.bytes(PresetCache.maxBytes)) at most",
        hints: ["'sea preset \(name) --weights \(weights.rawValue) -o FILE' writes it anywhere"]
      )
    }
    let cache = try PresetCache()
    try System.makeFolder(cache.folder)
    let target = cache.path(of: name, weights: weights.rawValue)
    let others = bytes >= PresetCache.largeBytes ? cache.otherLargeFiles(than: target) : []
    let gained = others.reduce(System.size(of: target) ?? 0) { $0 + $1.bytes }
    if let free = System.freeBytes(in: cache.folder), free + gained < bytes + Self.slackBytes {
      throw CommandError(
        .inputOutput,
        "\(cache.folder.printable(limit: 4096)): preset '\(name)' takes \(Quantity.bytes(bytes)), "
          + "\(Quantity.bytes(free)) are free",
        hints: ["XDG_CACHE_HOME names another place"]
      )
    }
    for other in others {
      try System.remove(other.path)
      console.terminal.note(
        "removed \(other.path.printable(limit: 4096)) (\(Quantity.bytes(other.bytes))): "
          + "the cache keeps one large model"
      )
    }
    return target
  }

  /// Room left on the disk beside the model.
  private static let slackBytes = 256 << 20

  // MARK: - Preset files

  private func list(_ folder: String, _ console: Console) throws {
    for name in Self.names(in: folder) {
      let preset = try Preset(named: name, in: folder)
      if console.isJSON {
        try console.output.object(
          schema: "sea.preset.entry/1",
          [
            ("name", .string(name)), ("summary", .string(preset.summary)),
            ("hub", .array(preset.hub.map { .string($0) })), ("licence", .string(preset.licence)),
            ("description", preset.model.json),
          ]
        )
      } else {
        let gap = String(repeating: " ", count: max(1, 22 - name.count))
        try console.output.line("\(name)\(gap)\(preset.summary)")
      }
    }
  }

  private static func names(in folder: String) -> [String] {
    System.names(in: folder).filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
      .sorted()
  }

  /// The package's preset files: `share/sea/presets` of where the program is installed, or
  /// `Models/presets` of the folder it was built in.
  static func folder() throws(CommandError) -> String {
    guard let program = System.executableFolder else {
      throw CommandError(.unavailable, "the folder of this program is unknown: give --presets")
    }
    var candidates = ["\(program)/../share/sea/presets"]
    var above = program
    while let slash = above.lastIndex(of: "/"), slash > above.startIndex {
      above = String(above[..<slash])
      candidates.append("\(above)/Models/presets")
    }
    guard let folder = candidates.first(where: { !names(in: $0).isEmpty }) else {
      throw CommandError(
        .unavailable,
        "the preset files are not installed",
        hints: ["they are Models/presets of the source: give --presets FOLDER"]
      )
    }
    return folder
  }
}
