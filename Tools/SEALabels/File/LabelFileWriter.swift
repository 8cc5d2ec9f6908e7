// SPDX-License-Identifier: Apache-2.0
// Writes a label file from finished records, in order.

internal import SEAFormat
package import SEATensor

/// A label file being written; it appears under its name when it is complete.
package final class LabelFileWriter {
  private let header: LabelHeader
  private let words: TextPool
  private let file: AtomicFile
  private let start: Int
  private var offsets: [UInt64] = []
  private var keys = TextPool()
  private var keyRecords: [UInt32] = []
  private var sums: PatchSums

  /// Creates the file.
  ///
  /// - Parameters:
  ///   - path: where it appears.
  ///   - header: how the labels were made.
  ///   - words: the word list.
  ///   - recordBytes: bytes of all records, so that a full disk is found before anything is written.
  /// - Throws: `LabelError.format`.
  package init(
    path: String,
    header: LabelHeader,
    words: TextPool,
    recordBytes: Int
  ) throws(LabelError) {
    self.header = header
    self.words = words
    sums = PatchSums(width: header.width)
    var text = Array(header.json.serialized().utf8)
    let padded = LabelFileLayout.paddedHeader(text.count)
    text += [UInt8](repeating: UInt8(ascii: " "), count: padded - text.count)
    start = LabelFileLayout.prefixBytes + padded
    let prefix =
      LabelFileLayout.magic + LittleEndian.bytes(LabelFileLayout.version)
      + LittleEndian.bytes(UInt32(padded)) + LittleEndian.bytes(LabelChecksum.of(text))
      + LittleEndian.bytes(UInt32(0)) + LittleEndian.bytes(UInt64(0))
    do throws(FormatError) {
      file = try AtomicFile(path: path)
      try file.requireSpace(start + recordBytes + words.bytes.count + 8 * words.count)
      try file.write(prefix + text)
    } catch {
      throw .format(error)
    }
  }

  /// Appends the record of the next picture, under its name and the ids of the data's records.
  ///
  /// A key that is taken keeps its record.
  package func append(_ record: ByteView, keys names: [String]) throws(LabelError) {
    for name in names where keys.insert(name.utf8).isNew {
      keyRecords.append(UInt32(offsets.count))
    }
    offsets.append(UInt64(file.count))
    try write(record.array())
  }

  /// Adds sums over the patches of some pictures.
  package func add(_ sums: PatchSums) { self.sums.add(sums) }

  /// Completes the file and gives it its name.
  ///
  /// - Returns: bytes of the file.
  package func finish() throws(LabelError) -> Int {
    precondition(offsets.count == header.range.count, "\(offsets.count) of \(header.range)")
    var trailer = LabelTrailer(
      sums: file.count,
      vocabulary: 0,
      index: 0,
      keys: 0,
      keyText: 0,
      records: offsets.count,
      keyCount: keys.count,
      sectionsCRC: 0
    )
    var crc = CRC32C()
    func add(_ bytes: [UInt8]) throws(LabelError) {
      crc.update(bytes.span)
      try write(bytes)
    }
    try add(sums.bytes)
    trailer.vocabulary = file.count
    try addAll(words.ends) {
      LittleEndian.bytes(UInt64($0))
    } to: { bytes throws(LabelError) in
      try add(bytes)
    }
    try add(words.bytes)
    trailer.index = file.count
    try addAll(offsets) {
      LittleEndian.bytes($0)
    } to: { bytes throws(LabelError) in
      try add(bytes)
    }
    trailer.keys = file.count
    let order = (0..<keys.count).sorted { keys.isOrdered($0, $1) }
    var position = 0
    try addAll(order) { key in
      let length = keys.range(key).count
      defer { position += length }
      return LittleEndian.bytes(UInt64(position)) + LittleEndian.bytes(UInt32(length))
        + LittleEndian.bytes(keyRecords[key])
    } to: { bytes throws(LabelError) in
      try add(bytes)
    }
    trailer.keyText = file.count
    try addAll(order) {
      Array(keys.bytes[keys.range($0)])
    } to: { bytes throws(LabelError) in
      try add(bytes)
    }
    trailer.sectionsCRC = crc.value
    try write(trailer.bytes)
    let count = file.count
    do throws(FormatError) {
      try file.overwrite(LittleEndian.bytes(UInt64(count)), at: 24)
      try file.commit()
    } catch {
      throw .format(error)
    }
    return count
  }

  /// Hands over elements as bytes, many at a time.
  private func addAll<Element>(
    _ elements: [Element],
    _ bytes: (Element) -> [UInt8],
    to add: ([UInt8]) throws(LabelError) -> Void
  ) throws(LabelError) {
    var buffer: [UInt8] = []
    for element in elements {
      buffer += bytes(element)
      if buffer.count >= 1 << 20 {
        try add(buffer)
        buffer.removeAll(keepingCapacity: true)
      }
    }
    try add(buffer)
  }

  private func write(_ bytes: [UInt8]) throws(LabelError) {
    do throws(FormatError) { try file.write(bytes) } catch { throw .format(error) }
  }
}
