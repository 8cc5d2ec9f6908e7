// SPDX-License-Identifier: Apache-2.0
// Files of other programs, byte by byte: archives and pictures that lie.

import TestSupport

/// The CRC-32 of PNG and zip.
private func crc32(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(~0 as UInt32) { value, byte in
    (0..<8).reduce(value ^ UInt32(byte)) { crc, _ in
      crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1
    }
  }
}

private func bigEndian(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

private func little(_ value: Int, _ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(value >> ($0 * 8) & 255) }
}

/// Pictures.
enum Picture {
  /// A picture of the repository.
  static let harbour = "\(Fixtures.repository)/Models/images/harbour.png"

  /// A PNG that claims a size and has next to no data.
  static func hollow(width: Int, height: Int) -> [UInt8] {
    let header = bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0]
    return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header)
      + chunk("IDAT", [0x78, 0x01]) + chunk("IEND", [])
  }

  private static func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + content
    return bigEndian(content.count) + body + bigEndian(Int(crc32(body)))
  }
}

/// Archives.
enum Archive {
  /// A zip file of stored entries.
  static func zip(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for (name, bytes) in entries {
      let sizes = little(Int(crc32(bytes)), 4) + little(bytes.count, 4) + little(bytes.count, 4)
      let common = little(20, 2) + little(0, 8) + sizes + little(name.utf8.count, 2) + little(0, 2)
      directory += little(0x0201_4b50, 4) + little(20, 2) + common + little(0, 10)
      directory += little(file.count, 4) + Array(name.utf8)
      file += little(0x0403_4b50, 4) + common + Array(name.utf8) + bytes
    }
    return file + directory + little(0x0605_4b50, 4) + little(0, 4) + little(entries.count, 2)
      + little(entries.count, 2) + little(directory.count, 4) + little(file.count, 4) + little(0, 2)
  }

  /// A torch file whose pickle calls `os.system` with a shell command when it is loaded.
  static func hostile(_ shell: String) -> [UInt8] {
    let pickle: [UInt8] =
      [0x80, 2] + Array("cos\nsystem\n".utf8) + [0x58] + little(shell.utf8.count, 4)
      + Array(shell.utf8) + [0x85, 0x52, 0x2e]
    return zip([("archive/data.pkl", pickle), ("archive/version", Array("3\n".utf8))])
  }
}
