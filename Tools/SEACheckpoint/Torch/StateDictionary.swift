// SPDX-License-Identifier: Apache-2.0
// Finds the tensors in the dictionary that a torch file holds.

internal import SEAFormat

/// The named tensors of a pickle whose root is a dictionary of tensors, or wraps one.
struct StateDictionary {
  let tensors: [(name: String, tensor: PickleTensor)]
  /// Keys beside the tensors that hold none.
  let ignored: [String]

  /// Looks for the tensors of `document`.
  ///
  /// - Parameters:
  ///   - document: the pickle of a torch file.
  ///   - path: the file's path, for messages.
  ///   - wrappers: keys under which an inner dictionary may be the state dictionary, in order.
  /// - Throws: `CheckpointError.malformed` when there is no dictionary of tensors.
  init(
    _ document: PickleDocument,
    path: String,
    wrappers: [String],
  ) throws(CheckpointError) {
    guard let outer = document.dictionary(document.root) else {
      throw .malformed(path: path, problem: "the file holds no dictionary of tensors")
    }
    if outer.contains(where: { document.tensor($0.value) != nil }) || outer.isEmpty {
      (tensors, ignored) = try Self.collect(outer, document, path: path)
      return
    }
    for wrapper in wrappers {
      guard let entry = outer.first(where: { Self.key($0.key) == wrapper }),
        let inner = document.dictionary(entry.value)
      else { continue }
      let rest = outer.compactMap { Self.key($0.key) }.filter { $0 != wrapper }
      let found = try Self.collect(inner, document, path: path)
      tensors = found.tensors
      ignored = rest + found.ignored
      return
    }
    let keys = outer.prefix(8).compactMap { Self.key($0.key)?.printable() }
    throw .malformed(
      path: path,
      problem: "no tensors under its keys: \(keys.joined(separator: ", "))",
    )
  }

  private static func collect(
    _ entries: [(key: PickleValue, value: PickleValue)],
    _ document: PickleDocument,
    path: String,
  ) throws(CheckpointError) -> (tensors: [(name: String, tensor: PickleTensor)], ignored: [String])
  {
    var tensors: [(name: String, tensor: PickleTensor)] = []
    var ignored: [String] = []
    for entry in entries {
      guard let name = key(entry.key) else {
        throw .malformed(path: path, problem: "a key of the tensor dictionary is not text")
      }
      if let tensor = document.tensor(entry.value) {
        tensors.append((name, tensor))
      } else if case .object = entry.value {
        // Containers may hide trained weights, so they are not passed over in silence.
        throw .malformed(path: path, problem: "\(name.printable()) is no tensor")
      } else {
        ignored.append(name)
      }
    }
    return (tensors, ignored)
  }

  private static func key(_ value: PickleValue) -> String? {
    if case .string(let text) = value { text } else { nil }
  }
}
