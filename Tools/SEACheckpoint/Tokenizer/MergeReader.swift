// SPDX-License-Identifier: Apache-2.0
// The merges of a tokenizer file as triples of ids, in order of rank.

import SEAFormat
import SEAText

/// Reads `model.merges`, written as `"a b"` or `["a", "b"]`.
struct MergeReader {
  let path: String
  let pieces: PieceLookup

  /// The merges in order.
  ///
  /// - Throws: `CheckpointError.badField` naming the merge that names absent pieces or comes twice.
  func read(
    _ value: JSONValue?
  ) throws(CheckpointError) -> [Merge] {
    guard let elements = value?.array else {
      throw .badField(path: path, field: "model.merges", problem: "expected an array")
    }
    var merges: [Merge] = []
    merges.reserveCapacity(elements.count)
    var seen: Set<UInt64> = []
    seen.reserveCapacity(elements.count)
    for (rank, element) in elements.enumerated() {
      let field = "model.merges[\(rank)]"
      let (left, right) = try sides(element, field: field)
      let merge = Merge(
        left: try id(left, field: field),
        right: try id(right, field: field),
        id: try id(left + right, field: field),
        rank: UInt32(rank),
      )
      let key =
        UInt64(UInt32(bitPattern: merge.left)) << 32 | UInt64(UInt32(bitPattern: merge.right))
      guard seen.insert(key).inserted else {
        throw .badField(path: path, field: field, problem: "the same pair is merged before")
      }
      merges.append(merge)
    }
    return merges
  }

  private func sides(
    _ element: JSONValue,
    field: String
  ) throws(CheckpointError) -> (left: [UInt8], right: [UInt8]) {
    if let pair = element.array, pair.count == 2, let left = pair[0].string,
      let right = pair[1].string
    {
      return (Array(left.utf8), Array(right.utf8))
    }
    let parts = element.string?.utf8.split(
      separator: UInt8(ascii: " "),
      omittingEmptySubsequences: false
    )
    guard let parts, parts.count == 2 else {
      throw .badField(path: path, field: field, problem: "expected two pieces")
    }
    return (Array(parts[0]), Array(parts[1]))
  }

  private func id(_ piece: [UInt8], field: String) throws(CheckpointError) -> Int32 {
    guard let id = pieces.find(piece) else {
      let name = String(decoding: piece, as: UTF8.self).printable(limit: 40)
      throw .badField(path: path, field: field, problem: "the vocabulary has no piece '\(name)'")
    }
    return id
  }
}
