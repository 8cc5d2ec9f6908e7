// SPDX-License-Identifier: Apache-2.0
// Archives that lie about their members.

import SEACheckpoint
import SEATensor
import Testing

@Suite struct ZipArchiveTests {
  private let item = ZipItem(name: "a/data/0", payload: [1, 2, 3, 4])

  @Test func findsPayloadsThroughLocalHeaders() throws {
    let other = ZipItem(name: "a/data/1", payload: [5, 6], usesDescriptor: false)
    let bytes = ZipWriter.archive([item, other])
    let archive = try ZipArchive(ByteView(bytes), path: "x")
    #expect(archive.members.map(\.name) == ["a/data/0", "a/data/1"])
    #expect(archive.members.allSatisfy { $0.payload.lowerBound.isMultiple(of: 64) })
    #expect(archive.bytes(of: archive.members[0]).array() == [1, 2, 3, 4])
    #expect(archive.bytes(of: archive.members[1]).array() == [5, 6])
    for member in archive.members { try archive.verify(member) }
  }

  @Test func readsWideEndRecords() throws {
    let plain = ZipWriter.archive([item])
    let directory = plain.count - 22 - 54
    let honest = ZipWriter.archive(
      [item],
      wide: ZipWriter.wideEnd(entries: 1, size: 54, start: directory)
    )
    #expect(try ZipArchive(ByteView(honest), path: "x").members.count == 1)
    for (entries, size, start) in [(2, 54, 0), (1, 8, 0), (1, 54, 1), (1 << 40, 54, 0)] {
      let lie = ZipWriter.archive(
        [item],
        wide: ZipWriter.wideEnd(entries: entries, size: size, start: directory + start)
      )
      #expect(throws: CheckpointError.self) { try ZipArchive(ByteView(lie), path: "x") }
    }
  }

  @Test func readsChecksum() {
    var checksum = CRC32()
    checksum.update(Array("1234".utf8))
    checksum.update(Array("56789".utf8))
    #expect(checksum.value == 0xCBF4_3926)
  }

  @Test func noticesDamage() throws {
    var bytes = ZipWriter.archive([item])
    let archive = try ZipArchive(ByteView(bytes), path: "x")
    bytes[archive.members[0].payload.lowerBound] ^= 1
    let damaged = try ZipArchive(ByteView(bytes), path: "x")
    #expect(throws: CheckpointError.self) { try damaged.verify(damaged.members[0]) }
  }

  @Test func refusesCompressedMembers() {
    var packed = item
    packed.method = 8
    packed.statedSize = 4_000_000
    packed.statedPackedSize = 4
    expectMalformed([packed], "compressed")
  }

  @Test(arguments: ["../../etc/passwd", "a/../../b", "/etc/passwd", "a\\..\\b", "a/\u{0}b", "./a"])
  func refusesNamesOutsideTheArchive(_ name: String) {
    expectMalformed([ZipItem(name: name, payload: [1])], "not a plain path")
  }

  @Test func refusesDuplicateNames() {
    expectMalformed([item, item], "two members")
  }

  @Test func keepsNamesApartThatUnicodeCallsEqual() throws {
    let items = ["a/\u{E9}", "a/e\u{301}"].map { ZipItem(name: $0, payload: [1]) }
    #expect(try ZipArchive(ByteView(ZipWriter.archive(items)), path: "x").members.count == 2)
  }

  @Test func refusesContradictingHeaders() {
    var renamed = item
    renamed.localName = "a/data/X"
    expectMalformed([renamed], "another name")
    var resized = item
    resized.localSize = 3
    expectMalformed([resized], "another size")
    resized.usesDescriptor = false
    expectMalformed([resized], "another size")
    var grown = item
    grown.statedSize = 100_000
    expectMalformed([grown], "pass the directory")
    var checksum = item
    checksum.statedSize = 3
    expectMalformed([checksum], "another size")
  }

  @Test func refusesWideSizesThatLie() {
    var missing = item
    missing.statedSize = .max
    expectMalformed([missing], "ZIP64 size is announced and missing")
    var huge = missing
    huge.extra = littleEndian(UInt16(1)) + littleEndian(UInt16(16))
    huge.extra += littleEndian(UInt64.max) + littleEndian(UInt64.max)
    expectMalformed([huge], "beyond any file size")
    var unannounced = item
    unannounced.extra = littleEndian(UInt16(1)) + littleEndian(UInt16(8)) + littleEndian(UInt64(9))
    expectMalformed([unannounced], "unannounced")
  }

  @Test func refusesOverlappingMembers() throws {
    // The second directory entry points at the first member's local header.
    let twin = ZipItem(name: "a/data/0", payload: [1, 2, 3, 4])
    var bytes = ZipWriter.archive([twin])
    let directory = Array(bytes[(bytes.count - 22 - 54)..<(bytes.count - 22)])
    let end = bytes.count - 22
    bytes.replaceSubrange(end..<end, with: directory)
    for offset in [8, 10] { bytes[end + 54 + offset] = 2 }
    bytes.replaceSubrange(end + 54 + 12..<end + 54 + 16, with: littleEndian(UInt32(108)))
    #expect(throws: CheckpointError.self) { try ZipArchive(ByteView(bytes), path: "x") }
  }

  @Test func refusesEveryTruncation() {
    let bytes = ZipWriter.archive([item, ZipItem(name: "a/b", payload: [9])])
    for count in 0..<bytes.count {
      #expect(throws: CheckpointError.self) {
        try ZipArchive(ByteView(Array(bytes.prefix(count))), path: "x")
      }
    }
  }

  @Test func survivesEveryFlippedByte() {
    let bytes = ZipWriter.archive([item, ZipItem(name: "a/b", payload: [9])])
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << bit
        guard let archive = try? ZipArchive(ByteView(damaged), path: "x") else { continue }
        for member in archive.members { try? archive.verify(member) }
      }
    }
  }

  private func expectMalformed(_ items: [ZipItem], _ problem: String) {
    let error = #expect(throws: CheckpointError.self) {
      try ZipArchive(ByteView(ZipWriter.archive(items)), path: "x")
    }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "no error")")
    #expect(error?.category == .badData)
  }
}
