// SPDX-License-Identifier: Apache-2.0
// Shards of one image list become the file that one run would have made.

internal import SEAFormat

/// Joins shards.
package enum LabelMerge {
  /// Writes the file of all shards, byte for byte the one of a run without shards.
  ///
  /// - Parameters:
  ///   - shards: files of all parts, in any order.
  ///   - output: where the file appears.
  ///   - progress: pictures written of all.
  /// - Returns: the header of the file.
  /// - Throws: `LabelError` when a file is damaged, a part is missing or there twice, or two differ in
  ///   anything but their part.
  package static func run(
    _ shards: [LabelFile],
    to output: String,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> LabelHeader {
    guard let first = shards.first else { throw LabelError.usage("no label files to merge") }
    let parts = try ordered(shards)
    var header = first.header
    header.shard = nil
    var words = TextPool()
    for word in first.words() { words.insert(word.utf8) }
    let writer = try LabelFileWriter(
      path: output,
      header: header,
      words: words,
      recordBytes: parts.reduce(0) { $0 + $1.recordByteCount }
    )
    var done = 0
    for part in parts {
      var keys = [[String]](repeating: [], count: part.count)
      var order = [Int](repeating: 0, count: part.keyCount)
      for key in 0..<part.keyCount { order[key] = key }
      for key in order {
        let entry = part.keyEntry(key)
        keys[entry.record].append(entry.name)
      }
      for record in 0..<part.count {
        let bytes = part.bytes(ofRecord: record)
        do throws(LabelRecordFormat.Damage) {
          try LabelRecordFormat(header).check(bytes)
        } catch {
          throw LabelError.labelFile(
            path: part.path,
            problem: "record \(record): \(error.problem)"
          )
        }
        try writer.append(bytes, keys: keys[record])
        done += 1
        try progress(done, header.images)
      }
      part.release(before: part.count)
      writer.add(part.sums)
    }
    _ = try writer.finish()
    return header
  }

  /// The shards by their part, refusing what does not belong together.
  private static func ordered(_ shards: [LabelFile]) throws(LabelError) -> [LabelFile] {
    let first = shards[0]
    var parts: [Int: LabelFile] = [:]
    for file in shards {
      if let difference = file.header.difference(from: first.header) {
        throw .mismatch(
          path: file.path,
          field: difference.field,
          stored: difference.own,
          wanted: difference.other
        )
      }
      guard let shard = file.header.shard, shard.count == first.header.shard?.count else {
        throw .labelFile(path: file.path, problem: "not a shard of the same division as the first")
      }
      if let other = parts.updateValue(file, forKey: shard.index) {
        throw .labelFile(
          path: file.path,
          problem: "shard \(shard.index) of \(shard.count), as \(other.path) is"
        )
      }
    }
    let count = first.header.shard?.count ?? 0
    for index in 1...max(count, 1) where parts[index] == nil {
      throw .usage("shard \(index) of \(count) is missing")
    }
    return (1...count).compactMap { parts[$0] }
  }
}
