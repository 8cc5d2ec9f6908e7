// SPDX-License-Identifier: Apache-2.0
// Finished pictures of a run that is not finished: blocks of records, and a ledger of them.

internal import FoundationEssentials
internal import SEAFormat
internal import SEATensor

/// The records of consecutive pictures and their sums.
struct LabelBlock {
  /// The first picture, counted in the whole image list.
  let first: Int
  var records: [[UInt8]] = []
  var sums: PatchSums

  /// A block without records.
  init(first: Int, width: Int) {
    self.first = first
    sums = PatchSums(width: width)
  }

  /// Pictures of the block.
  var range: Range<Int> { first..<first + records.count }

  /// Count, lengths, records, sums.
  var bytes: [UInt8] {
    var bytes = LittleEndian.bytes(UInt32(records.count))
    for record in records { bytes += LittleEndian.bytes(UInt32(record.count)) }
    for record in records { bytes += record }
    return bytes + sums.bytes
  }
}

/// A work folder beside the output: `run.json`, `ledger.json`, and a file for each block.
///
/// A block is on the disk before the ledger names it, and the ledger keeps its hash: whatever moment a
/// process ends at, what the ledger says is true or is found out.
final class BlockStore {
  /// A block as the ledger knows it.
  struct Entry: Equatable {
    let first: Int
    let count: Int
    let bytes: Int
    let digest: String

    var range: Range<Int> { first..<first + count }
  }

  /// The folder.
  let folder: String
  private let output: String
  private var lock: FolderLock?
  private(set) var entries: [Entry] = []

  /// The work folder of an output.
  static func folder(of output: String) -> String { output + ".work" }

  /// True when an earlier run has left something to go on with.
  static func hasWork(of output: String) -> Bool {
    FileManager.default.fileExists(atPath: folder(of: output) + "/run.json")
  }

  /// True when the work folder is there and holds anything but a lock.
  static func isInUse(_ output: String) -> Bool {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder(of: output))) ?? []
    return names.contains { $0 != "lock" }
  }

  /// Opens or makes the folder and takes its lock.
  ///
  /// - Throws: `LabelError.busy`, `.format`.
  init(output: String) throws(LabelError) {
    folder = Self.folder(of: output)
    self.output = output
    do {
      try FileManager.default.createDirectory(
        atPath: folder,
        withIntermediateDirectories: false
      )
    } catch {
      guard FileManager.default.fileExists(atPath: folder) else {
        throw .format(
          .outputRefused(path: folder, reason: "the folder for unfinished work cannot be made")
        )
      }
    }
    lock = try FolderLock(folder, output: output)
  }

  // MARK: - The run

  /// What the run was started with, or nil at its beginning.
  ///
  /// - Throws: `LabelError.labelFile` when it cannot be understood.
  func storedHeader() throws(LabelError) -> LabelHeader? {
    let path = folder + "/run.json"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try LabelHeader(json: json(path), path: path)
  }

  /// Writes down what the run is started with.
  func store(_ header: LabelHeader) throws(LabelError) {
    try write(Array(header.json.serialized(pretty: true).utf8), to: folder + "/run.json")
  }

  private func json(_ path: String) throws(LabelError) -> JSONValue {
    let file: MappedFile
    do throws(FileError) { file = try MappedFile(path: path) } catch { throw .file(error) }
    do throws(JSONError) {
      return try JSONScanner.parse(file.bytes.array())
    } catch {
      throw .labelFile(path: path, problem: "\(error)")
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws(LabelError) {
    do throws(FormatError) {
      let file = try AtomicFile(path: path)
      try file.write(bytes)
      try file.commit()
    } catch {
      throw .format(error)
    }
  }

  // MARK: - Blocks

  private func path(_ first: Int) -> String {
    let digits = String(first)
    return folder + "/block-" + String(repeating: "0", count: max(0, 10 - digits.count)) + digits
  }

  /// Reads the ledger and keeps the blocks that are there, whole, and within `range`.
  ///
  /// - Returns: how many blocks of the ledger were dropped.
  func load(_ range: Range<Int>) throws(LabelError) -> Int {
    let path = folder + "/ledger.json"
    guard FileManager.default.fileExists(atPath: path) else { return 0 }
    var dropped = 0
    var kept: [Entry] = []
    // A ledger that is damaged costs its blocks, not the run.
    guard let lines = try? json(path).array else { return 1 }
    for line in lines {
      guard let first = line["first"]?.int, let count = line["images"]?.int,
        let bytes = line["bytes"]?.int, let digest = line["sha256"]?.string, first >= 0, count > 0,
        count <= Self.maximumCount, first <= range.upperBound
      else {
        dropped += 1
        continue
      }
      let entry = Entry(first: first, count: count, bytes: bytes, digest: digest)
      let isNext = entry.first >= (kept.last?.range.upperBound ?? range.lowerBound)
      guard isNext, entry.range.upperBound <= range.upperBound, isWhole(entry) else {
        dropped += 1
        continue
      }
      kept.append(entry)
    }
    entries = kept
    return dropped
  }

  /// Most pictures of a block.
  static let maximumCount = 4096

  private func isWhole(_ entry: Entry) -> Bool {
    guard let file = try? MappedFile(path: path(entry.first)), file.count == entry.bytes else {
      return false
    }
    return Digest.of(file.bytes.array()) == entry.digest
  }

  /// Puts a block on the disk, then into the ledger.
  func add(_ block: LabelBlock) throws(LabelError) {
    guard !block.records.isEmpty else { return }
    let bytes = block.bytes
    try write(bytes, to: path(block.first))
    entries.append(
      Entry(
        first: block.first,
        count: block.records.count,
        bytes: bytes.count,
        digest: Digest.of(bytes)
      )
    )
    entries.sort { $0.first < $1.first }
    let lines = entries.map { entry -> JSONValue in
      [
        "first": .number(JSONNumber(entry.first)), "images": .number(JSONNumber(entry.count)),
        "bytes": .number(JSONNumber(entry.bytes)), "sha256": .string(entry.digest),
      ]
    }
    try write(
      Array(JSONValue.array(lines).serialized().utf8),
      to: folder + "/ledger.json"
    )
  }

  /// The first pictures in `range` without a block, up to the next block; nil when none lack one.
  func gap(in range: Range<Int>) -> Range<Int>? {
    var position = range.lowerBound
    for entry in entries {
      if entry.first > position { return position..<entry.first }
      position = entry.range.upperBound
    }
    return position < range.upperBound ? position..<range.upperBound : nil
  }

  /// Bytes of all records, and a little more.
  var byteCount: Int { entries.reduce(0) { $0 + $1.bytes } }

  /// Hands over every record in order, and the sums of each block.
  ///
  /// - Throws: `LabelError.labelFile` when a block has changed since it was loaded.
  func forEachRecord(
    width: Int,
    _ body: (_ image: Int, _ record: ByteView) throws -> Void,
    sums: (PatchSums) -> Void
  ) throws {
    for entry in entries {
      let path = path(entry.first)
      let bytes = try MappedFile(path: path).bytes
      let sumsBytes = 8 + 8 * width
      guard bytes.count == entry.bytes, bytes.count >= 4 + 4 * entry.count + sumsBytes,
        Int(bytes.loadLittleEndian(at: 0, as: UInt32.self)) == entry.count
      else { throw LabelError.labelFile(path: path, problem: "has changed while in use") }
      var position = 4 + 4 * entry.count
      for index in 0..<entry.count {
        let length = Int(bytes.loadLittleEndian(at: 4 + 4 * index, as: UInt32.self))
        guard position + length <= bytes.count - sumsBytes else {
          throw LabelError.labelFile(path: path, problem: "has changed while in use")
        }
        try body(entry.first + index, bytes.slice(position..<position + length))
        position += length
      }
      sums(PatchSums(bytes.slice(position..<position + sumsBytes), width: width))
    }
  }

  /// Removes the folder: the output is complete.
  func remove() {
    lock = nil
    try? FileManager.default.removeItem(atPath: folder)
  }
}
