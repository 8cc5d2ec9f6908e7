// SPDX-License-Identifier: Apache-2.0
// Where the repository, the shared fixtures and the built products are.

import Foundation

/// Folders that tests look into.
package enum Fixtures {
  /// The root of the repository.
  package static let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// Larger fixtures that are not part of the repository, or nil: `fixtures` in the folder that the
  /// variable SEA_SHARED names, else in `../shared` beside the repository.
  package static let shared: String? = {
    let beside = (repository as NSString).deletingLastPathComponent + "/shared"
    let folder = ProcessInfo.processInfo.environment["SEA_SHARED"] ?? beside
    let path = folder + "/fixtures"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  /// True when the shared fixtures are there; tests that need them skip otherwise.
  package static var hasShared: Bool { shared != nil }

  /// A fixture of a test target: `"SEARuntimeTests"`, `"llama-tiny"`.
  package static func path(_ target: String, _ name: String) -> String {
    "\(repository)/Tests/\(target)/Fixtures/\(name)"
  }

  /// The folder of the built executables, which is that of the running test bundle.
  package static let products: String = {
    let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return bundle.deletingLastPathComponent().path
  }()
}
