// SPDX-License-Identifier: Apache-2.0
// Writes ZIP archives of stored members, with every field open to lies.

import SEACheckpoint

/// One member of a generated archive; the optional fields replace what is true.
struct ZipItem {
  var name: String
  var payload: [UInt8]
  /// Local header's name, when it differs from the directory's.
  var localName: String?
  /// Sizes stated by the directory.
  var statedSize: UInt32?
  var statedPackedSize: UInt32?
  var statedChecksum: UInt32?
  var method: UInt16 = 0
  /// Size stated by the local header or the data descriptor.
  var localSize: UInt32?
  /// Sizes follow the payload, as torch writes them.
  var usesDescriptor = true
  /// Extra field of the directory entry.
  var extra: [UInt8] = []
}

/// Builds archives the way torch lays them out: payloads aligned through the local extra field.
enum ZipWriter {
  static func archive(_ items: [ZipItem], wide: [UInt8]? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for item in items {
      let start = bytes.count
      let localName = Array((item.localName ?? item.name).utf8)
      let padding = 64 - (start + 30 + localName.count + 4) % 64
      let extra =
        Array("FB".utf8) + littleEndian(UInt16(padding)) + repeatElement(0x5A, count: padding)
      let checksum = item.statedChecksum ?? crc(item.payload)
      let size = UInt32(item.payload.count)
      let flags: UInt16 = 0x0800 | (item.usesDescriptor ? 8 : 0)
      bytes += littleEndian(UInt32(0x0403_4B50)) + littleEndian(UInt16(0)) + littleEndian(flags)
      bytes += littleEndian(item.method) + [0, 0, 0, 0]
      if item.usesDescriptor {
        bytes += [UInt8](repeating: 0, count: 12)
      } else {
        bytes += littleEndian(checksum)
        bytes += littleEndian(item.localSize ?? size) + littleEndian(item.localSize ?? size)
      }
      bytes += littleEndian(UInt16(localName.count)) + littleEndian(UInt16(extra.count))
      bytes += localName + extra + item.payload
      if item.usesDescriptor {
        bytes += littleEndian(UInt32(0x0807_4B50)) + littleEndian(checksum)
        bytes += littleEndian(item.localSize ?? size) + littleEndian(item.localSize ?? size)
      }
      let name = Array(item.name.utf8)
      directory += littleEndian(UInt32(0x0201_4B50)) + [0, 0, 0, 0] + littleEndian(flags)
      directory += littleEndian(item.method) + [0, 0, 0, 0] + littleEndian(checksum)
      directory += littleEndian(item.statedPackedSize ?? item.statedSize ?? size)
      directory += littleEndian(item.statedSize ?? size)
      directory += littleEndian(UInt16(name.count)) + littleEndian(UInt16(item.extra.count))
      directory += [UInt8](repeating: 0, count: 10) + littleEndian(UInt32(start))
      directory += name + item.extra
    }
    let start = bytes.count
    bytes += directory + (wide ?? [])
    bytes += littleEndian(UInt32(0x0605_4B50)) + [0, 0, 0, 0]
    bytes += littleEndian(UInt16(items.count)) + littleEndian(UInt16(items.count))
    bytes += littleEndian(UInt32(directory.count)) + littleEndian(UInt32(start)) + [0, 0]
    return bytes
  }

  /// A ZIP64 end record and its locator for a directory at `start`.
  static func wideEnd(entries: Int, size: Int, start: Int) -> [UInt8] {
    let own = start + size
    var bytes = littleEndian(UInt32(0x0606_4B50)) + littleEndian(UInt64(44))
    bytes += littleEndian(UInt32(0)) + littleEndian(UInt64(0))
    bytes += littleEndian(UInt64(entries)) + littleEndian(UInt64(entries))
    bytes += littleEndian(UInt64(size)) + littleEndian(UInt64(start))
    bytes += littleEndian(UInt32(0x0706_4B50)) + littleEndian(UInt32(0))
    bytes += littleEndian(UInt64(own)) + littleEndian(UInt32(1))
    return bytes
  }

  /// A torch file: a pickle and its storages.
  static func torch(_ pickle: [UInt8], storages: [(key: String, bytes: [UInt8])] = []) -> [UInt8] {
    var items = [
      ZipItem(name: "archive/data.pkl", payload: pickle),
      ZipItem(name: "archive/byteorder", payload: Array("little".utf8)),
    ]
    for storage in storages {
      items.append(ZipItem(name: "archive/data/\(storage.key)", payload: storage.bytes))
    }
    items.append(ZipItem(name: "archive/version", payload: Array("3\n".utf8)))
    return archive(items)
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    var checksum = CRC32()
    checksum.update(bytes)
    return checksum.value
  }
}
