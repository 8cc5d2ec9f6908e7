// SPDX-License-Identifier: Apache-2.0
// A folder with weights and configuration files, as model hubs lay them out.

internal import FoundationEssentials
package import SEAFormat
internal import SEATensor

/// A checkpoint's folder: its JSON files and its weights, found by name and read by content.
package struct CheckpointFolder: Sendable {
  package let path: String
  /// Names of the files in it, sorted by bytes.
  package let names: [String]

  /// Bytes of the largest configuration file that is read; real ones have a few kB.
  private static let maxJSONBytes = 16 << 20
  /// Files with these names hold something other than the model's own weights.
  private static let others: Set<String> = [
    "adapter_model.safetensors", "adapter_model.bin", "mm_projector.safetensors",
    "mm_projector.bin", "non_lora_trainables.bin", "training_args.bin", "optimizer.bin",
    "scheduler.bin", "optimizer.pt", "scheduler.pt", "non_lora_trainables.safetensors",
  ]

  /// Lists the folder at `path`.
  ///
  /// - Throws: `CheckpointError.missing` when there is no such folder.
  package init(path: String) throws(CheckpointError) {
    let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard Self.isFolder(trimmed) else {
      throw .missing(
        path: path,
        advice: FileManager.default.fileExists(atPath: path) ? "not a folder" : "no such folder",
      )
    }
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: trimmed)
        .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    } catch {
      throw .file(.permission(path: path))
    }
    self.path = trimmed
  }

  /// True when something named `name` is in the folder.
  package func contains(_ name: String) -> Bool {
    names.contains { $0.utf8.elementsEqual(name.utf8) }
  }

  /// The path of a file in the folder.
  package func path(of name: String) -> String { "\(path)/\(name)" }

  /// A JSON object in the folder, or nil when there is no such file.
  ///
  /// - Throws: `CheckpointError` when the file is too large or is no JSON object.
  package func json(_ name: String) throws(CheckpointError) -> JSONValue? {
    guard contains(name) else { return nil }
    let path = path(of: name)
    let file: MappedFile
    do { file = try MappedFile(path: path) } catch { throw .file(error) }
    guard file.count <= Self.maxJSONBytes else {
      throw .malformed(
        path: path,
        problem: "\(file.count) bytes, a configuration file has at most \(Self.maxJSONBytes)",
      )
    }
    guard file.count > 0 else { throw .malformed(path: path, problem: "the file is empty") }
    let value: JSONValue
    do {
      value = try JSONScanner.parse(file.bytes.array())
    } catch {
      throw .malformed(path: path, problem: "not valid JSON: \(error)")
    }
    guard value.object != nil else {
      throw .malformed(path: path, problem: "\(value.kind), expected an object")
    }
    return value
  }

  /// True when the folder holds weights under the names that libraries save them with.
  package var hasWeights: Bool {
    names.contains { Self.isIndex($0) || Self.isUsual($0) }
  }

  /// True when the folder holds a file that can be weights under any name.
  package var hasAnyWeights: Bool {
    hasWeights || names.contains { name in Self.suffixes.contains { Self.isLoose(name, $0) } }
  }

  /// Opens the folder's weights.
  ///
  /// Safetensors come before torch files, an index before loose files, and the names that libraries
  /// save with before any other: a single file of another name is taken only when nothing else is
  /// there.
  ///
  /// - Throws: `CheckpointError`; `missing` when there are none.
  package func weights() throws(CheckpointError) -> WeightSet {
    for suffix in Self.suffixes {
      let indices = names.filter { Self.isIndex($0) && $0.hasSuffix(suffix + ".index.json") }
      guard indices.count <= 1 else {
        throw .malformed(
          path: path,
          problem: "several indices: \(indices.joined(separator: ", "))",
        )
      }
      if let name = indices.first, let json = try json(name) {
        let index = try ShardIndex(json, path: self.path(of: name))
        return try WeightSet(index, folder: path, present: names)
      }
      let usual = try shards(names.filter { Self.isUsual($0) && $0.hasSuffix(suffix) })
      if !usual.isEmpty { return try WeightSet(files: usual.map { self.path(of: $0) }) }
    }
    for suffix in Self.suffixes {
      let files = names.filter { Self.isLoose($0, suffix) }
      guard files.count <= 1 else {
        throw .malformed(
          path: path,
          problem: "which of these is the model? \(files.joined(separator: ", "))",
        )
      }
      if let file = files.first { return try WeightSet(file: self.path(of: file)) }
    }
    throw .missing(path: path, advice: "no weights here (*.safetensors or *.bin)")
  }

  /// The files of a checkpoint without an index: one whole file, or every shard of one set.
  private func shards(_ files: [String]) throws(CheckpointError) -> [String] {
    if let whole = files.first(where: { Self.wholeNames.contains($0) }) { return [whole] }
    let shards = files.compactMap { WeightSet.shardPosition($0) }
    guard let total = shards.first?.total else { return [] }
    guard shards.allSatisfy({ $0.total == total }), Set(shards.map(\.number)).count == shards.count
    else {
      throw .malformed(
        path: path,
        problem: "shards of several sets: \(files.joined(separator: ", "))",
      )
    }
    let present = Set(shards.map(\.number))
    if let absent = (1...total).first(where: { !present.contains($0) }) {
      throw .missing(path: path, advice: "shard \(absent) of \(total) is missing")
    }
    return files
  }

  private static let suffixes = [".safetensors", ".bin", ".pt", ".pth"]
  private static let wholeNames: Set<String> = ["model.safetensors", "pytorch_model.bin"]

  private static func isIndex(_ name: String) -> Bool {
    name.hasSuffix(".safetensors.index.json") || name.hasSuffix(".bin.index.json")
  }

  /// Random states of training programs have numbers in their names.
  private static func isLoose(_ name: String, _ suffix: String) -> Bool {
    name.hasSuffix(suffix) && !others.contains(name) && !name.hasPrefix("rng_state")
  }

  private static func isUsual(_ name: String) -> Bool {
    wholeNames.contains(name) || WeightSet.isShard(name)
  }
}

// MARK: - The file system

extension CheckpointFolder {
  /// True when `path` is a folder.
  static func isFolder(_ path: String) -> Bool {
    var isFolder = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
  }

  /// Bytes of a file, or 0 when it cannot be had.
  static func fileSize(_ path: String) -> Int {
    (try? MappedFile(path: path))?.count ?? 0
  }

  /// `path` itself when absolute, else below `base`; `.` and `..` are resolved by name.
  static func resolve(_ path: String, from base: String) -> String {
    let joined = path.hasPrefix("/") ? path : base + "/" + path
    var parts: [Substring] = []
    for part in joined.split(separator: "/", omittingEmptySubsequences: true) where part != "." {
      if part == "..", let last = parts.last, last != ".." {
        parts.removeLast()
      } else if part != ".." || !joined.hasPrefix("/") {
        parts.append(part)
      }
    }
    let result = parts.joined(separator: "/")
    if joined.hasPrefix("/") { return "/" + result }
    return result.isEmpty ? "." : result
  }
}
