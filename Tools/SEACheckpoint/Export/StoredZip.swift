// SPDX-License-Identifier: Apache-2.0
// A ZIP archive whose members are stored as they are, each starting at a multiple of 64.

/// An archive in memory.
///
/// - Source: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16.
struct StoredZip {
  /// The members so far.
  private(set) var bytes: [UInt8] = []
  private var directory: [UInt8] = []
  private var count = 0

  private static let alignment = 64
  /// Extra field of padding, as torch writes it.
  private static let paddingTag: UInt16 = 0x4246

  /// Adds a member.
  mutating func add(_ name: String, _ content: [UInt8]) {
    var crc = CRC32()
    crc.update(content)
    let offset = bytes.count
    let name = Array(name.utf8)
    let fixed = offset + 30 + name.count + 4
    let padding = (Self.alignment - fixed % Self.alignment) % Self.alignment
    var extra: [UInt8] = []
    extra.append(littleEndian: Self.paddingTag)
    extra.append(littleEndian: UInt16(padding))
    extra += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)

    var common: [UInt8] = []
    common.append(littleEndian: UInt16(0))  // flags
    common.append(littleEndian: UInt16(0))  // stored
    common.append(littleEndian: UInt32(0x0021_0000))  // 1 January 1980: no clock in the bytes
    common.append(littleEndian: crc.value)
    common.append(littleEndian: UInt32(truncatingIfNeeded: content.count))
    common.append(littleEndian: UInt32(truncatingIfNeeded: content.count))
    common.append(littleEndian: UInt16(name.count))

    bytes.append(littleEndian: UInt32(0x0403_4b50))
    bytes.append(littleEndian: UInt16(20))
    bytes += common
    bytes.append(littleEndian: UInt16(extra.count))
    bytes += name + extra + content

    directory.append(littleEndian: UInt32(0x0201_4b50))
    directory.append(littleEndian: UInt16(20))
    directory.append(littleEndian: UInt16(20))
    directory += common
    directory.append(littleEndian: UInt16(0))  // extra
    directory.append(littleEndian: UInt16(0))  // comment
    directory.append(littleEndian: UInt16(0))  // disk
    directory.append(littleEndian: UInt16(0))  // internal attributes
    directory.append(littleEndian: UInt32(0))  // external attributes
    directory.append(littleEndian: UInt32(truncatingIfNeeded: offset))
    directory += name
    count += 1
  }

  /// The archive with its directory.
  func finished() -> [UInt8] {
    var archive = bytes + directory
    archive.append(littleEndian: UInt32(0x0605_4b50))
    archive.append(littleEndian: UInt32(0))
    archive.append(littleEndian: UInt16(count))
    archive.append(littleEndian: UInt16(count))
    archive.append(littleEndian: UInt32(truncatingIfNeeded: directory.count))
    archive.append(littleEndian: UInt32(truncatingIfNeeded: bytes.count))
    archive.append(littleEndian: UInt16(0))
    return archive
  }
}

extension [UInt8] {
  /// Appends the bytes of an integer, the lowest first.
  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }
}
