// SPDX-License-Identifier: Apache-2.0
// Where models of presets are kept between benchmarks: made by the host wing, used by the device wing.

import SEATensor

/// The folder of generated models: `$XDG_CACHE_HOME/sea/presets`, else `~/.cache/sea/presets`.
package struct PresetCache: Sendable {
  /// The folder.
  package let folder: String

  /// A file of this size or more is large: only one is kept.
  package static let largeBytes = 1_000_000_000

  /// The largest file that is made without being asked for by path.
  package static let maxBytes = 12_000_000_000

  /// The cache of this user.
  ///
  /// - Throws: `CommandError` (71) when neither variable is set.
  package init() throws(CommandError) {
    func absolute(_ name: String) -> String? {
      // The specification says to ignore relative paths.
      System.environment(name).flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    guard
      let base = absolute("XDG_CACHE_HOME") ?? absolute("HOME").map({ "\($0)/.cache" })
    else {
      throw CommandError(
        .system,
        "no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path",
        hints: ["'sea preset NAME -o FILE' writes the model anywhere"]
      )
    }
    folder = "\(base)/sea/presets"
  }

  /// The file of a preset with weights stored as `weights` says.
  package func path(of preset: String, weights: String) -> String {
    "\(folder)/\(preset)-\(weights).sea"
  }

  /// The large files but `path`, with their sizes.
  package func otherLargeFiles(than path: String) -> [(path: String, bytes: Int)] {
    System.names(in: folder).filter { $0.hasSuffix(".sea") }.sorted()
      .map { "\(folder)/\($0)" }.filter { $0 != path }
      .compactMap { file in
        System.size(of: file).flatMap { $0 >= Self.largeBytes ? (file, $0) : nil }
      }
  }
}
