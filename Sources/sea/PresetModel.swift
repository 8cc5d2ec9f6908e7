// SPDX-License-Identifier: Apache-2.0
// The model file of a preset: from the cache, else made by `sea-tools` beside this program.

import Glibc
import SEACommandLine
import SEAFormat
import SEARuntime
import SEATensor

/// Models of presets.
enum PresetModel {
  /// The path of a preset's model, which is there when the call returns.
  ///
  /// - Throws: `CommandError` with the maker's exit code when it cannot be made.
  static func path(
    of preset: String,
    weights: String,
    isQuiet: Bool,
    _ console: Console
  ) throws -> String {
    guard !preset.isEmpty, !preset.utf8.contains(UInt8(ascii: "/")), !preset.hasPrefix(".") else {
      throw CommandError(.usage, "'\(preset.printable())' is no preset's name")
    }
    let path = try PresetCache().path(of: preset, weights: weights)
    if System.size(of: path) != nil {
      do {
        _ = try Model(path: path)
        return path
      } catch RuntimeError.file(let error) {
        throw error
      } catch {
        console.terminal.note("the cached model is of no use to this version: \(error)")
      }
    }
    let folder = System.executableFolder ?? ""
    let maker = "\(folder)/sea-tools"
    guard System.isExecutable(maker) else {
      throw CommandError(
        .unavailable,
        "preset '\(preset.printable())' is not in the cache, "
          + "and sea-tools, which makes it, is not installed beside sea",
        hints: ["the package builds both: swift build -c release"]
      )
    }
    let arguments = ["sea", "preset", preset, "--weights", weights, "--cache"]
    guard let status = System.run(maker, arguments: arguments + (isQuiet ? ["--quiet"] : []))
    else { throw CommandError(.unavailable, "\(maker.printable(limit: 4096)): cannot be run") }
    // What is wrong has been told by the maker, in one line.
    if status != 0 { exit(status) }
    guard System.size(of: path) != nil else {
      throw CommandError(.internalBug, "\(path.printable(limit: 4096)): was not made")
    }
    return path
  }
}
