// SPDX-License-Identifier: Apache-2.0
// Larger fixtures that lie beside the repository.

import Foundation

/// Finds fixtures that are not part of the repository; tests that need them skip without them.
enum SharedFixtures {
  /// The folder, from the variable SEA_SHARED or `../shared` beside the repository; nil if absent.
  static let path: String? = {
    let environment = ProcessInfo.processInfo.environment["SEA_SHARED"]
    let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let beside = repository.deletingLastPathComponent().appendingPathComponent("shared").path
    let path = (environment ?? beside) + "/fixtures"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  /// True when the folder is there.
  static var isPresent: Bool { path != nil }
}
