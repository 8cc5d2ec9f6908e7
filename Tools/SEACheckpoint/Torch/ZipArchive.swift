// SPDX-License-Identifier: Apache-2.0
// Reads ZIP archives of stored members, the container of torch files, trusting nothing.

internal import SEAFormat
package import SEATensor

/// A ZIP archive whose members are stored uncompressed and used in place.
///
/// Nothing is written to disk and nothing is inflated. The central directory and the local headers
/// must tell the same story: readers that believe only one of them can be shown different files.
///
/// - Source: the ZIP application note (APPNOTE.TXT), sections 4.3 to 4.5.
package struct ZipArchive: Sendable {
  /// One stored member.
  package struct Member: Sendable {
    /// The path inside the archive, with forward slashes.
    package let name: String
    /// CRC-32 of the payload, as the directory states it.
    package let checksum: UInt32
    /// Where the payload lies in the archive.
    package let payload: Range<Int>
  }

  /// The archive's members in directory order.
  package let members: [Member]
  private let reader: ZipFieldReader

  /// More members than any checkpoint has; keeps a hostile directory from filling memory.
  private static let maxMembers = 100_000
  /// Bytes of payload handed out at a time while checksumming.
  private static let checksumChunk = 4 << 20

  /// Reads and checks the directory of an archive.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - path: its path, for messages.
  /// - Throws: `CheckpointError.malformed` with the first rule that does not hold.
  package init(_ bytes: ByteView, path: String) throws(CheckpointError) {
    let reader = ZipFieldReader(bytes: bytes, path: path)
    let end = try ZipEndRecord(reader)
    guard end.entries <= Self.maxMembers else {
      throw reader.fault("\(end.entries) members, more than the limit of \(Self.maxMembers)")
    }
    var members: [Member] = []
    var extents: [Range<Int>] = []
    var names: Set<[UInt8]> = []
    var position = end.directory.lowerBound
    for _ in 0..<end.entries {
      let entry = try ZipDirectoryEntry(
        reader,
        at: position,
        within: end.directory,
      )
      guard names.insert(Array(entry.name.utf8)).inserted else {
        throw reader.fault("two members are named \(entry.name.printable())")
      }
      let extent = try entry.localExtent(reader, limit: end.directory.lowerBound)
      members.append(
        Member(name: entry.name, checksum: entry.checksum, payload: extent.payload)
      )
      extents.append(extent.whole)
      position += entry.length
    }
    guard position == end.directory.upperBound else {
      throw reader.fault(
        "the central directory is \(end.directory.count) bytes, its entries take "
          + "\(position - end.directory.lowerBound)"
      )
    }
    try Self.refuseOverlaps(extents, reader)
    self.members = members
    self.reader = reader
  }

  /// The payload of a member, viewed in place.
  package func bytes(of member: Member) -> ByteView {
    reader.bytes.slice(member.payload)
  }

  /// Compares a member's payload with the checksum in the directory.
  ///
  /// - Throws: `CheckpointError.malformed` when they differ.
  package func verify(_ member: Member) throws(CheckpointError) {
    var checksum = CRC32()
    let payload = bytes(of: member)
    var start = 0
    while start < payload.count {
      let stop = min(payload.count, start + Self.checksumChunk)
      checksum.update(payload.slice(start..<stop).array())
      start = stop
    }
    guard checksum.value == member.checksum else {
      throw reader.fault("member \(member.name.printable()) does not match its CRC-32")
    }
  }

  /// Refuses members that share bytes, the trick behind bombs that need no compression.
  private static func refuseOverlaps(
    _ extents: [Range<Int>],
    _ reader: ZipFieldReader,
  ) throws(CheckpointError) {
    var reached = 0
    for extent in extents.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      guard extent.lowerBound >= reached else {
        throw reader.fault("members overlap at byte \(extent.lowerBound)")
      }
      reached = extent.upperBound
    }
  }
}
