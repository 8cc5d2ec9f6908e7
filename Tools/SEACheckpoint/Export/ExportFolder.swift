// SPDX-License-Identifier: Apache-2.0
// A folder that appears under its name complete, or not at all.

internal import FoundationEssentials
internal import Glibc
package import SEAFormat
internal import SEATensor

/// Collects files in `name.tmp.PID` beside the target and renames the whole when all are there.
///
/// When the owner goes away without `commit`, everything written goes too. A folder left by a process
/// that was killed is removed by the next export to the same name.
package final class ExportFolder {
  /// The path as given.
  package let path: String
  /// The folder that files are written to until `commit`.
  package let temporary: String
  private var isOpen = true

  /// Creates the temporary folder.
  ///
  /// - Throws: `CheckpointError.usage` when something other than an empty folder has the name,
  ///   `.file` when the folder cannot be made.
  package init(path: String) throws(CheckpointError) {
    var target = path
    while target.count > 1, target.hasSuffix("/") { target.removeLast() }
    guard !target.isEmpty, target != "/" else {
      throw .usage("\(path.printable()): not a folder to write to")
    }
    try Self.refuseContent(of: target)
    Self.removeLeftovers(of: target)
    self.path = target
    temporary = "\(target).tmp.\(getpid())"
    try Self.make(temporary, for: path)
  }

  deinit {
    if isOpen { try? FileManager.default.removeItem(atPath: temporary) }
  }

  /// The path of a file to write.
  package func file(_ name: String) -> String { "\(temporary)/\(name)" }

  /// Makes a folder inside.
  ///
  /// - Throws: `CheckpointError.file`.
  package func makeFolder(_ name: String) throws(CheckpointError) {
    try Self.make(file(name), for: path)
  }

  /// Writes a JSON file.
  ///
  /// - Throws: `CheckpointError.format`.
  package func write(_ json: JSONValue, to name: String) throws(CheckpointError) {
    try write(Array((json.serialized(pretty: true) + "\n").utf8), to: name)
  }

  /// Writes a file.
  ///
  /// - Throws: `CheckpointError.format`.
  package func write(_ bytes: [UInt8], to name: String) throws(CheckpointError) {
    do throws(FormatError) {
      let output = try AtomicFile(path: file(name))
      try output.write(bytes)
      try output.commit()
    } catch {
      throw .format(error)
    }
  }

  /// Gives the folder its name; an empty folder of that name is replaced.
  ///
  /// - Throws: `CheckpointError.file` when it cannot be renamed.
  /// - Precondition: called once.
  package func commit() throws(CheckpointError) {
    precondition(isOpen, "\(path) was committed")
    guard unsafe rename(temporary, path) == 0 else {
      throw .file(.from(path: path, operation: "replace", code: errno))
    }
    isOpen = false
    do throws(FormatError) { try AtomicFile.syncFolder(of: path) } catch { throw .format(error) }
  }

  private static func make(_ folder: String, for path: String) throws(CheckpointError) {
    guard unsafe mkdir(folder, 0o777) == 0 else {
      throw .file(.from(path: path, operation: "create", code: errno))
    }
  }

  /// Refuses to write over anything.
  ///
  /// - Throws: `CheckpointError.usage` for a file or a folder that is not empty.
  package static func refuseContent(of path: String) throws(CheckpointError) {
    guard FileManager.default.fileExists(atPath: path) else { return }
    guard CheckpointFolder.isFolder(path) else {
      throw .usage("\(path.printable(limit: 4096)): cannot be written: it is a file")
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    guard names.isEmpty else {
      throw .usage("\(path.printable(limit: 4096)): cannot be written: the folder is not empty")
    }
  }

  /// Removes temporary folders of `path` whose process is gone.
  private static func removeLeftovers(of path: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let name = parts.last.map(String.init) ?? path
    let parent = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "./"
    let prefix = name + ".tmp."
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
    for entry in names where entry.utf8.starts(with: prefix.utf8) {
      let digits = String(entry.dropFirst(prefix.count))
      guard let process = pid_t(digits), String(process) == digits, process > 0 else { continue }
      guard process == getpid() || (kill(process, 0) != 0 && errno == ESRCH) else { continue }
      let leftover = parent + entry
      guard CheckpointFolder.isFolder(leftover) else { continue }
      try? FileManager.default.removeItem(atPath: leftover)
    }
  }
}
