// SPDX-License-Identifier: Apache-2.0
// All tensors of a checkpoint, from one file or many.

internal import SEAFormat

/// Tensors of a checkpoint by name, with the files they lie in.
package struct WeightSet: Sendable {
  /// All tensors, in the order of files and of bytes in them.
  package private(set) var tensors: [SourceTensor] = []
  /// Paths of the weights files, in the order they were opened.
  package private(set) var paths: [String] = []
  /// Things worth telling that do not stop a conversion.
  package private(set) var warnings: [String] = []
  private var positions: [String: Int] = [:]

  /// The tensors of one file.
  ///
  /// - Throws: `CheckpointError`.
  package init(file path: String) throws(CheckpointError) {
    try add(try WeightFile(path: path))
  }

  /// The tensors of several files that have no index.
  init(files: [String]) throws(CheckpointError) {
    for file in files { try add(try WeightFile(path: file)) }
  }

  /// The tensors that an index lists.
  ///
  /// - Throws: `CheckpointError`: a missing shard, a tensor that is not where the index says or that
  ///   two shards hold.
  init(_ index: ShardIndex, folder: String, present: [String]) throws(CheckpointError) {
    for file in index.files where !present.contains(where: { $0.utf8.elementsEqual(file.utf8) }) {
      throw .missing(
        path: "\(folder)/\(file)",
        advice: "no such file; \(index.path) needs it",
      )
    }
    for (position, name) in index.files.enumerated() {
      let file = try Self.open("\(folder)/\(name)", index, folder)
      let names = Set(file.tensors.map(\.name))
      for (tensor, owner) in index.tensors where owner == position && !names.contains(tensor) {
        throw .badTensor(
          path: file.path,
          tensor: tensor,
          problem: "missing here; \(index.path) lists it"
        )
      }
      for tensor in file.tensors where index.tensors[tensor.name] == nil {
        warnings.append("\(file.path): tensor \(tensor.name) is not in the index")
      }
      try add(file)
    }
    for name in present where Self.isShard(name) {
      guard !index.files.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else { continue }
      if name.hasSuffix(".safetensors") == index.path.hasSuffix(".safetensors.index.json") {
        warnings.append("\(folder)/\(name): not used by \(index.path)")
      }
    }
  }

  /// The tensor of a name.
  package subscript(name: String) -> SourceTensor? {
    positions[name].map { tensors[$0] }
  }

  private mutating func add(_ file: WeightFile) throws(CheckpointError) {
    paths.append(file.path)
    warnings += file.notes
    for tensor in file.tensors {
      if let other = positions.updateValue(tensors.count, forKey: tensor.name) {
        throw .badTensor(
          path: file.path,
          tensor: tensor.name,
          problem: "also in \(tensors[other].path)",
        )
      }
      tensors.append(tensor)
    }
  }

  /// Opens a shard; one that is cut short is told with the bytes the index expects.
  private static func open(
    _ path: String,
    _ index: ShardIndex,
    _ folder: String,
  ) throws(CheckpointError) -> WeightFile {
    do {
      return try WeightFile(path: path)
    } catch .malformed(let path, let problem) where problem.contains("cut short") {
      let sizes = index.files.map { CheckpointFolder.fileSize("\(folder)/\($0)") }
      let found = CheckpointFolder.fileSize(path)
      let lacking = (index.totalBytes ?? 0) - sizes.reduce(0, +)
      guard lacking > 0 else { throw .malformed(path: path, problem: problem) }
      throw .truncated(path: path, expected: found + lacking, found: found)
    }
  }

  /// True for names of the form `x-00001-of-00002.safetensors` or `.bin`.
  static func isShard(_ name: String) -> Bool {
    shardPosition(name) != nil
  }

  /// The two numbers in the name of a shard.
  static func shardPosition(_ name: String) -> (number: Int, total: Int)? {
    guard let dot = name.lastIndex(of: "."),
      ["bin", "safetensors"].contains(name[dot...].dropFirst())
    else { return nil }
    let parts = name[..<dot].split(separator: "-")
    guard parts.count >= 4, parts[parts.count - 2] == "of",
      let number = Int(parts[parts.count - 3]),
      let total = Int(parts[parts.count - 1]), (1...total).contains(number), total <= 10_000
    else { return nil }
    return (number, total)
  }
}
