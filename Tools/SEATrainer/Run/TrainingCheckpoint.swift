// SPDX-License-Identifier: Apache-2.0
// The state of a run on disk: parts that appear one by one, and a manifest that makes them a checkpoint.

internal import SEAFormat
internal import SEALabels
internal import SEATensor

/// Where a run's states are, and which of them are whole.
///
/// A checkpoint is a folder `step-N` with its parts and a manifest with the SHA-256 of each. The
/// manifest is written last: without it, or with a part that does not match, the folder is no
/// checkpoint.
package struct CheckpointShelf: Sendable {
  /// The folder that holds the checkpoints.
  package let path: String

  static let manifest = "manifest.json"
  private static let prefix = "step-"
  private static let schema = "sea.checkpoint/1"

  /// The checkpoints in `path`, which need not exist.
  package init(path: String) { self.path = path }

  /// Folders that look like checkpoints, the newest first.
  package func steps() -> [Int] {
    Folders.names(in: path).compactMap { name in
      guard name.hasPrefix(Self.prefix) else { return nil }
      let digits = name.dropFirst(Self.prefix.count)
      guard let step = Int(digits), step >= 0, Self.name(step) == name else { return nil }
      return step
    }.sorted(by: >)
  }

  /// The folder of a step.
  package func folder(_ step: Int) -> String { "\(path)/\(Self.name(step))" }

  private static func name(_ step: Int) -> String {
    let digits = String(step)
    return prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  // MARK: - Writing

  /// Writes the state after `step` steps.
  ///
  /// - Throws: `TrainerError`; the parts written so far are removed and older checkpoints untouched.
  package func write(
    step: Int,
    identity: RunIdentity,
    store: ParameterStore,
    state: RunState = RunState()
  ) throws(TrainerError) {
    let folder = folder(step)
    try Folders.make(path)
    // What is there under this name is either broken or the same state.
    Folders.remove(folder)
    do throws(TrainerError) {
      try Folders.make(folder)
      try StateFiles.writeWeights(store, to: "\(folder)/\(StateFiles.weights)")
      try StateFiles.writeMoments(store, to: "\(folder)/\(StateFiles.moments)")
      var parts: [JSONValue] = []
      for name in StateFiles.all {
        let file: MappedFile
        do throws(FileError) {
          file = try MappedFile(path: "\(folder)/\(name)")
        } catch {
          throw .file(error)
        }
        parts.append([
          "file": .string(name), "bytes": .number(JSONNumber(file.count)),
          "sha256": .string(Digest.of(file)),
        ])
      }
      let manifest: JSONValue = [
        "schema": .string(Self.schema), "step": .number(JSONNumber(step)),
        "identity": identity.json, "state": state.json, "parts": .array(parts),
      ]
      try FileText.write(
        Array(manifest.serialized(pretty: true).utf8),
        to: "\(folder)/\(Self.manifest)"
      )
      do throws(FormatError) { try AtomicFile.syncFolder(of: folder) } catch {
        throw .format(error)
      }
    } catch {
      Folders.remove(folder)
      throw error
    }
  }

  /// Removes all but the newest `keep` checkpoints and whatever is none.
  package func prune(keep: Int) {
    var kept = 0
    for step in steps() {
      let isWhole = Folders.isTaken("\(folder(step))/\(Self.manifest)")
      if isWhole, kept < max(keep, 1) {
        kept += 1
      } else {
        // The manifest goes first: a half-removed folder must not look whole.
        Folders.remove("\(folder(step))/\(Self.manifest)")
        Folders.remove(folder(step))
      }
    }
  }

  // MARK: - Reading

  /// A checkpoint whose parts are all what its manifest says.
  package struct Whole: Sendable {
    package let step: Int
    package let identity: RunIdentity
    package let state: RunState
    let folder: String
  }

  /// The newest whole checkpoint.
  ///
  /// - Parameter rejected: called for each newer one that is not whole, with the reason.
  /// - Returns: the checkpoint, or nil when there is none at all.
  /// - Throws: `TrainerError.noValidCheckpoint` when there are checkpoints and none is whole.
  package func newest(
    rejected: (_ path: String, _ reason: String) -> Void
  ) throws(TrainerError) -> Whole? {
    var firstReason: String?
    for step in steps() {
      // A folder without a manifest is a save that was cut short, not a damaged checkpoint.
      guard Folders.isTaken("\(folder(step))/\(Self.manifest)") else {
        rejected(folder(step), "the save was cut short")
        continue
      }
      do throws(TrainerError) {
        return try check(step)
      } catch {
        let reason = error.description
        if firstReason == nil { firstReason = reason }
        rejected(folder(step), reason)
      }
    }
    if let firstReason { throw .noValidCheckpoint(path: path, reason: firstReason) }
    return nil
  }

  /// Checks every part of a checkpoint.
  ///
  /// - Throws: `TrainerError` naming the part.
  package func check(_ step: Int) throws(TrainerError) -> Whole {
    let folder = folder(step)
    let path = "\(folder)/\(Self.manifest)"
    let json: JSONValue
    let bytes = try FileText.read(path)
    do throws(JSONError) {
      json = try JSONScanner.parse(bytes, limits: JSONLimits(depth: 8, bytes: 16 << 20))
    } catch {
      throw .checkpoint(path: path, problem: "\(error)")
    }
    guard let schema = json["schema"]?.string, schema == Self.schema else {
      let found = json["schema"]?.string ?? "none"
      throw .checkpoint(
        path: path,
        problem: "schema '\(found.printable())', expected \(Self.schema)"
      )
    }
    guard json["step"]?.int == step, let identity = RunIdentity(json: json["identity"]),
      let parts = json["parts"]?.array
    else { throw .checkpoint(path: path, problem: "step, identity or parts are missing") }
    guard parts.compactMap({ $0["file"]?.string }) == StateFiles.all else {
      throw .checkpoint(
        path: path,
        problem: "expected the parts \(StateFiles.all.joined(separator: ", "))"
      )
    }
    for part in parts {
      let name = part["file"]?.string ?? ""
      let file: MappedFile
      do throws(FileError) {
        file = try MappedFile(path: "\(folder)/\(name)")
      } catch {
        throw .file(error)
      }
      guard part["bytes"]?.int == file.count else {
        throw .checkpoint(
          path: "\(folder)/\(name)",
          problem: "has \(file.count) bytes, the manifest says \(part["bytes"]?.int ?? -1)"
        )
      }
      let digest = Digest.of(file)
      guard part["sha256"]?.string == digest else {
        throw .checkpoint(
          path: "\(folder)/\(name)",
          problem: "SHA-256 is \(digest), the manifest says "
            + (part["sha256"]?.string ?? "nothing").printable()
        )
      }
    }
    let state = RunState(json: json["state"])
    return Whole(step: step, identity: identity, state: state, folder: folder)
  }

  /// Fills tensors and moments with a checkpoint's.
  ///
  /// - Throws: `TrainerError.checkpoint` when names, shapes or types differ.
  package func load(_ whole: Whole, into store: ParameterStore) throws(TrainerError) {
    try StateFiles.readWeights(store, from: "\(whole.folder)/\(StateFiles.weights)")
    try StateFiles.readMoments(store, from: "\(whole.folder)/\(StateFiles.moments)")
  }
}
