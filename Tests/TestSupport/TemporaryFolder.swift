// SPDX-License-Identifier: Apache-2.0
// A folder that lives as long as a test.

import Foundation

/// A new folder, removed with everything in it when the last reference goes.
package final class TemporaryFolder: Sendable {
  /// Its path.
  package let path: String

  /// Makes the folder.
  ///
  /// - Throws: what the system says.
  package init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "sea-\(UUID().uuidString)"
    )
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of a file inside.
  package func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, making the folders on its way.
  ///
  /// - Throws: what the system says.
  @discardableResult
  package func write(_ text: String, to name: String) throws -> String {
    let url = URL(fileURLWithPath: file(name))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(),
      withIntermediateDirectories: true
    )
    try Data(text.utf8).write(to: url)
    return url.path
  }

  /// The bytes of a file.
  ///
  /// - Throws: what the system says.
  package func read(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: file(name))))
  }

  /// Names of all files below, in order.
  package var names: [String] {
    let all = FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []
    return all.sorted()
  }
}
