// SPDX-License-Identifier: Apache-2.0
// Where compiled encoders and word embeddings are kept between runs.

internal import FoundationEssentials
internal import SEAFormat
import SEATensor

/// A folder of files that can be made again; each is named by a hash of what it was made from.
package final class LabelCache: Sendable {
  /// The folder.
  package let folder: String
  /// The folder goes with this object.
  package let isTemporary: Bool

  /// A cache in a folder, which is made where it is not there.
  ///
  /// - Throws: `LabelError.format` when it cannot be made or written to.
  package init(folder: String) throws(LabelError) {
    try Self.make(folder)
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw .file(.permission(path: folder))
    }
    self.folder = folder
    isTemporary = false
  }

  /// A cache for this process alone.
  ///
  /// - Throws: `LabelError.format` when no folder can be made.
  package init(temporaryIn parent: String) throws(LabelError) {
    var generator = SystemRandomNumberGenerator()
    folder = parent + "/sea-labels-" + String(generator.next() as UInt64, radix: 16)
    isTemporary = true
    try Self.make(folder)
  }

  deinit {
    if isTemporary { try? FileManager.default.removeItem(atPath: folder) }
  }

  /// The path of an entry.
  func path(_ name: String) -> String { folder + "/" + name }

  private static func make(_ folder: String) throws(LabelError) {
    do {
      try FileManager.default.createDirectory(
        atPath: folder,
        withIntermediateDirectories: true
      )
    } catch {
      throw .format(.outputRefused(path: folder, reason: "the folder cannot be made"))
    }
  }
}
