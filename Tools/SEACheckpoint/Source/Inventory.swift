// SPDX-License-Identifier: Apache-2.0
// What became of every tensor of a checkpoint.

package import SEAFormat

/// The account of a conversion: tensors taken, split and ignored, and why.
package struct Inventory: Sendable {
  /// One tensor of the checkpoint.
  package struct Entry: Sendable, Equatable {
    /// Its name in the file.
    package let name: String
    /// The file's path.
    package let path: String
    /// What became of it.
    package let outcome: NameMapping
  }

  /// Every tensor of every file, in the order of the files.
  package internal(set) var entries: [Entry] = []
  /// Choices that were made, with their reasons, and warnings.
  package internal(set) var notes: [String] = []

  /// Numbers of tensors that were taken whole, split, merged into others, and ignored.
  package var counts: (taken: Int, split: Int, merged: Int, ignored: Int) {
    var counts = (taken: 0, split: 0, merged: 0, ignored: 0)
    for entry in entries {
      switch entry.outcome {
      case .tensor: counts.taken += 1
      case .rows: counts.split += 1
      case .merged: counts.merged += 1
      case .ignored, .unknown: counts.ignored += 1
      }
    }
    return counts
  }

  /// The account in a few lines.
  package var lines: [String] {
    var lines = ["taken: \(counts.taken) tensors"]
    if counts.split > 0 {
      let parts = entries.reduce(0) {
        if case .rows(let names) = $1.outcome { $0 + names.count } else { $0 }
      }
      lines.append("split by rows: \(counts.split) tensors into \(parts)")
    }
    if counts.merged > 0 {
      let targets = entries.reduce(into: Set<String>()) {
        if case .merged(let names) = $1.outcome { $0.formUnion(names) }
      }
      lines.append("merged: \(counts.merged) low-rank factors into \(targets.count) tensors")
    }
    for (reason, names) in ignored {
      let shown = names.prefix(3).joined(separator: ", ")
      lines.append("ignored: \(names.count) (\(reason)): \(shown)\(names.count > 3 ? ", …" : "")")
    }
    return lines + notes
  }

  /// The account for machines.
  package var json: JSONValue {
    [
      "tensors": .array(
        entries.map { entry in
          var fields: [(key: String, value: JSONValue)] = [
            ("name", .string(entry.name)), ("file", .string(entry.path)),
          ]
          switch entry.outcome {
          case .tensor(let name): fields.append(("taken_as", .string(name)))
          case .rows(let names): fields.append(("split_into", .array(names.map { .string($0) })))
          case .merged(let names): fields.append(("merged_into", .array(names.map { .string($0) })))
          case .ignored(let reason): fields.append(("ignored", .string(reason)))
          case .unknown: fields.append(("ignored", "unknown"))
          }
          return .object(JSONObject(fields))
        }
      ),
      "notes": .array(notes.map { .string($0) }),
    ]
  }

  /// Ignored tensors by reason, in the order in which the reasons first occur.
  private var ignored: [(reason: String, names: [String])] {
    var groups: [(reason: String, names: [String])] = []
    for entry in entries {
      guard case .ignored(let reason) = entry.outcome else { continue }
      if let index = groups.firstIndex(where: { $0.reason == reason }) {
        groups[index].names.append(entry.name)
      } else {
        groups.append((reason, [entry.name]))
      }
    }
    return groups
  }
}
