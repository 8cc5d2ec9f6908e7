// SPDX-License-Identifier: Apache-2.0
// The records of a ZIP file: end of directory, directory entry, local header, data descriptor.

internal import SEAFormat
internal import SEATensor

/// What the end of a ZIP file says about its central directory.
struct ZipEndRecord {
  /// Number of directory entries.
  let entries: Int
  /// Where the central directory lies.
  let directory: Range<Int>

  private static let signature: UInt32 = 0x0605_4B50
  private static let wideSignature: UInt32 = 0x0606_4B50
  private static let locatorSignature: UInt32 = 0x0706_4B50
  /// Fixed size of the record, and the longest comment that may follow it.
  private static let size = 22
  private static let maxComment = 65_535

  init(_ reader: ZipFieldReader) throws(CheckpointError) {
    let start = try Self.find(reader)
    let disks = try reader.field32(start + 4)
    let entriesHere = try reader.field16(start + 8)
    let entries = try reader.field16(start + 10)
    let size = try reader.field32(start + 12)
    let offset = try reader.field32(start + 16)
    var stated = Statement(entries: entries, size: Int(size), offset: Int(offset), end: start)
    if start >= 20, try reader.field32(start - 20) == Self.locatorSignature {
      let wide = try Self.readWide(reader, locator: start - 20)
      // A narrow field either repeats the wide one or is saturated; anything else is a lie.
      guard entries == 0xFFFF || entries == wide.entries,
        size == .max || Int(size) == wide.size,
        offset == .max || Int(offset) == wide.offset
      else { throw reader.fault("the ZIP64 end record contradicts the plain one") }
      stated = wide
    } else {
      guard disks == 0, entriesHere == entries else {
        throw reader.fault("archives spread over several files are not supported")
      }
    }
    let (sum, overflow) = stated.offset.addingReportingOverflow(stated.size)
    guard !overflow, sum == stated.end else {
      throw reader.fault(
        "the central directory should take \(stated.size) bytes at byte \(stated.offset), "
          + "it ends at byte \(stated.end)"
      )
    }
    guard stated.entries <= stated.size / ZipDirectoryEntry.minimumLength else {
      throw reader.fault("\(stated.entries) members cannot fit a directory of \(stated.size) bytes")
    }
    self.entries = stated.entries
    self.directory = stated.offset..<sum
  }

  private struct Statement {
    var entries: Int
    var size: Int
    var offset: Int
    /// Where the first end record starts, which is where the directory must stop.
    var end: Int
  }

  /// Finds the record from the end of the file; its comment must reach exactly the last byte.
  private static func find(_ reader: ZipFieldReader) throws(CheckpointError) -> Int {
    let count = reader.bytes.count
    var start = count - size
    while start >= 0, start >= count - size - maxComment {
      if reader.bytes[start] == 0x50, try reader.field32(start) == signature,
        try reader.field16(start + 20) == count - size - start
      {
        return start
      }
      start -= 1
    }
    throw reader.fault(
      "no central directory at the end of its \(count) bytes; the file is cut short or not a "
        + "torch file"
    )
  }

  private static func readWide(
    _ reader: ZipFieldReader,
    locator: Int,
  ) throws(CheckpointError) -> Statement {
    let start = try reader.field64(locator + 8)
    guard start <= locator, try reader.field32(start) == wideSignature else {
      throw reader.fault("the ZIP64 locator points to byte \(start), where no end record is")
    }
    let length = try reader.field64(start + 4)
    guard length >= 44, length == locator - start - 12 else {
      throw reader.fault("the ZIP64 end record claims \(length) bytes")
    }
    let entriesHere = try reader.field64(start + 24)
    let entries = try reader.field64(start + 32)
    guard try reader.field32(start + 16) == 0, try reader.field32(start + 20) == 0,
      entries == entriesHere
    else { throw reader.fault("archives spread over several files are not supported") }
    return Statement(
      entries: entries,
      size: try reader.field64(start + 40),
      offset: try reader.field64(start + 48),
      end: start,
    )
  }
}

/// One entry of the central directory, checked by itself.
struct ZipDirectoryEntry {
  static let minimumLength = 46
  private static let signature: UInt32 = 0x0201_4B50
  private static let localSignature: UInt32 = 0x0403_4B50
  private static let descriptorSignature: UInt32 = 0x0807_4B50
  /// Flag bits: encrypted, sizes follow the payload, patch data, masked headers.
  private static let encryptedFlags = 0x0001 | 0x0020 | 0x0040 | 0x2000
  private static let descriptorFlag = 0x0008

  let name: String
  let checksum: UInt32
  let size: Int
  /// Bytes this entry takes in the directory.
  let length: Int
  private let flags: Int
  private let localOffset: Int

  init(
    _ reader: ZipFieldReader,
    at start: Int,
    within directory: Range<Int>,
  ) throws(CheckpointError) {
    guard start <= directory.upperBound - Self.minimumLength,
      try reader.field32(start) == Self.signature
    else { throw reader.fault("no directory entry at byte \(start)") }
    let nameLength = try reader.field16(start + 28)
    let extraLength = try reader.field16(start + 30)
    let commentLength = try reader.field16(start + 32)
    let length = Self.minimumLength + nameLength + extraLength + commentLength
    guard length <= directory.upperBound - start else {
      throw reader.fault("the directory entry at byte \(start) passes the directory's end")
    }
    let nameStart = start + Self.minimumLength
    let name = try reader.text(nameStart..<nameStart + nameLength, what: "member name")
    try Self.checkName(name, reader)

    let flags = try reader.field16(start + 8)
    guard flags & Self.encryptedFlags == 0 else {
      throw reader.fault("member \(name.printable()) is encrypted or patched")
    }
    guard try reader.field16(start + 10) == 0 else {
      // Only programs have compressed members: their source text.
      if name.split(separator: "/").dropFirst().first == "code" {
        throw CheckpointError.torchScript(path: reader.path)
      }
      throw reader.fault(
        "member \(name.printable()) is compressed; torch stores its members as they are"
      )
    }
    var extra = ZipWideFields(
      reader,
      extra: nameStart + nameLength..<nameStart + nameLength + extraLength,
    )
    let size = try extra.resolve(try reader.field32(start + 24))
    let packedSize = try extra.resolve(try reader.field32(start + 20))
    let localOffset = try extra.resolve(try reader.field32(start + 42))
    try extra.finish(member: name)
    guard size == packedSize else {
      throw reader.fault(
        "member \(name.printable()) is stored, yet its sizes are \(packedSize) and \(size)"
      )
    }
    guard try reader.field16(start + 34) == 0 else {
      throw reader.fault("archives spread over several files are not supported")
    }
    self.name = name
    self.checksum = try reader.field32(start + 16)
    self.size = size
    self.length = length
    self.flags = flags
    self.localOffset = localOffset
  }

  /// Reads the local header and compares it with this entry.
  ///
  /// The payload's place follows from the *local* header: torch aligns payloads through an extra
  /// field that the central directory does not repeat.
  ///
  /// - Returns: the payload, and all bytes the member takes including header and descriptor.
  func localExtent(
    _ reader: ZipFieldReader,
    limit: Int,
  ) throws(CheckpointError) -> (payload: Range<Int>, whole: Range<Int>) {
    guard localOffset <= limit - 30, try reader.field32(localOffset) == Self.localSignature else {
      throw contradiction(reader, "no local header at byte \(localOffset)")
    }
    let nameLength = try reader.field16(localOffset + 26)
    let extraLength = try reader.field16(localOffset + 28)
    let nameStart = localOffset + 30
    let extra = nameStart + nameLength..<nameStart + nameLength + extraLength
    let start = extra.upperBound
    guard start <= limit, size <= limit - start else {
      throw contradiction(reader, "\(size) bytes at byte \(start) pass the directory at \(limit)")
    }
    let localName = reader.bytes.slice(nameStart..<nameStart + nameLength).array()
    guard localName.elementsEqual(name.utf8) else {
      throw contradiction(reader, "the local header has another name")
    }
    guard try reader.field16(localOffset + 6) == flags,
      try reader.field16(localOffset + 8) == 0
    else { throw contradiction(reader, "the local header has other flags or another method") }

    let payload = start..<start + size
    var end = payload.upperBound
    let narrow = (
      checksum: try reader.field32(localOffset + 14),
      packed: try reader.field32(localOffset + 18),
      size: try reader.field32(localOffset + 22)
    )
    if flags & Self.descriptorFlag != 0, narrow.checksum == 0, narrow.packed == 0, narrow.size == 0
    {
      end += try descriptorLength(reader, at: end)
    } else {
      var wide = ZipWideFields(reader, extra: extra)
      let localSize = try wide.resolve(narrow.size)
      let localPacked = try wide.resolve(narrow.packed)
      guard narrow.checksum == checksum, localSize == size, localPacked == size else {
        throw contradiction(reader, "the local header has another size or checksum")
      }
    }
    guard end <= limit else { throw contradiction(reader, "its end passes the directory") }
    return (payload, localOffset..<end)
  }

  /// The length of the data descriptor at `offset`, which must repeat checksum and sizes.
  private func descriptorLength(
    _ reader: ZipFieldReader,
    at offset: Int,
  ) throws(CheckpointError) -> Int {
    let signed = try reader.field32(offset) == Self.descriptorSignature
    for skip in signed ? [4, 0] : [0] {
      guard try reader.field32(offset + skip) == checksum else { continue }
      if try reader.field32(offset + skip + 4) == size,
        try reader.field32(offset + skip + 8) == size
      {
        // A small size leaves the upper half of a 64-bit field zero, so try the wide form too.
        return skip + 12
      }
      if try reader.field64(offset + skip + 4) == size,
        try reader.field64(offset + skip + 12) == size
      {
        return skip + 20
      }
    }
    throw contradiction(reader, "the record after its payload has another size or checksum")
  }

  private func contradiction(_ reader: ZipFieldReader, _ problem: String) -> CheckpointError {
    reader.fault("member \(name.printable()): \(problem)")
  }

  /// Refuses names that mean a place outside the archive's own tree.
  private static func checkName(_ name: String, _ reader: ZipFieldReader) throws(CheckpointError) {
    let bytes = Array(name.utf8)
    let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let climbs = parts.contains { $0.elementsEqual("..".utf8) || $0.elementsEqual(".".utf8) }
    let isOdd = bytes.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }
    guard !bytes.isEmpty, bytes.first != UInt8(ascii: "/"), !climbs, !isOdd else {
      throw reader.fault("member name \"\(name.printable())\" is not a plain path")
    }
  }
}

/// The ZIP64 extra field: wide values for those header fields that are saturated.
struct ZipWideFields {
  private static let identifier = 1
  private let reader: ZipFieldReader
  private var position = 0
  private var end = 0
  private var isBroken = false

  init(_ reader: ZipFieldReader, extra: Range<Int>) {
    self.reader = reader
    var start = extra.lowerBound
    while start + 4 <= extra.upperBound {
      guard let identifier = try? reader.field16(start),
        let length = try? reader.field16(start + 2), length <= extra.upperBound - start - 4
      else {
        isBroken = true
        return
      }
      if identifier == Self.identifier {
        position = start + 4
        end = position + length
        return
      }
      start += 4 + length
    }
  }

  /// `narrow` itself, or the next wide value when it is saturated.
  mutating func resolve(_ narrow: UInt32) throws(CheckpointError) -> Int {
    guard narrow == .max else { return Int(narrow) }
    guard !isBroken, end - position >= 8 else {
      throw reader.fault("a ZIP64 size is announced and missing")
    }
    let value = try reader.field64(position)
    position += 8
    return value
  }

  /// Refuses wide values that no header field announced.
  func finish(member: String) throws(CheckpointError) {
    guard !isBroken, end - position == 0 || end - position == 4 else {
      throw reader.fault("member \(member.printable()): the ZIP64 field has unannounced values")
    }
  }
}
