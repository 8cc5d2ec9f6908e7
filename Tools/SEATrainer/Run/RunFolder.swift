// SPDX-License-Identifier: Apache-2.0
// The folder of a run: one trainer at a time, nothing overwritten unasked.

package import SEAFormat

/// A run's folder, locked.
package final class RunFolder {
  /// The path as given.
  package let path: String
  /// The states of the run.
  package let shelf: CheckpointShelf
  private let lock: RunLock

  /// Names that do not make a folder a used one.
  private static let harmless: Set<String> = ["lock"]

  /// Opens or makes the folder and takes its lock.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - resumes: go on with what is there; otherwise the folder must be empty.
  /// - Throws: `TrainerError.folderInUse` when it is not empty, `.busy` when another trainer has it.
  package init(path: String, resumes: Bool) throws(TrainerError) {
    guard !path.isEmpty else { throw .usage("--out is empty: expected a folder") }
    guard !Folders.isTaken(path) || Folders.exists(path) else {
      throw .usage("\(path.printable(limit: 4096)): cannot be a run's folder: it is a file")
    }
    try Folders.make(path)
    // The lock comes first: a second trainer is told that it is one, not that the folder is full.
    lock = try RunLock(folder: path)
    self.path = path
    shelf = CheckpointShelf(path: "\(path)/checkpoints")
    let content = Folders.names(in: path).filter { !Self.harmless.contains($0) }
    guard resumes || content.isEmpty else { throw .folderInUse(path: path) }
  }

  /// The path of a file in the folder.
  package func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a JSON file.
  ///
  /// - Throws: `TrainerError.format`.
  package func write(_ json: JSONValue, to name: String) throws(TrainerError) {
    try FileText.write(Array(json.serialized(pretty: true).utf8), to: file(name))
  }
}
