// SPDX-License-Identifier: Apache-2.0
// Small files in which the kernel tells about this process and this machine.

import Glibc

/// Files of /proc and /sys.
enum SystemFile {
  /// More than any of them has.
  private static let limit = 4 << 20

  /// The lines of a file; none when it cannot be read.
  static func lines(of path: String) -> [String] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 8192)
    while text.count < limit {
      let count = unsafe piece.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress, $0.count)
      }
      guard count > 0 else { break }
      text += piece[..<count]
    }
    return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map(String.init)
  }
}
