// SPDX-License-Identifier: Apache-2.0
// Tells by its first bytes what a file named .bin really is.

package import SEATensor

/// What the first bytes of a weights file say it is.
package enum WeightsFileKind: Sendable, Equatable {
  /// A ZIP archive, the container torch has written since release 1.6.
  case torchArchive
  /// A safetensors file, whatever its name.
  case safetensors
  /// Something else; the text says what it looks like and what to do.
  case other(String)

  /// Looks at the beginning of a file.
  package init(_ bytes: ByteView) {
    let head = bytes.slice(0..<min(bytes.count, 600)).array()
    if head.starts(with: "PK".utf8) {
      self = .torchArchive
    } else if head.count > 8, head[8] == UInt8(ascii: "{"), head[5..<8].allSatisfy({ $0 == 0 }) {
      self = .safetensors
    } else {
      self = .other(Self.describe(head))
    }
  }

  private static let resave =
    "load it with torch.load(…, weights_only=True) and save it with safetensors or torch.save of "
    + "torch 1.6 or later"

  private static func describe(_ head: [UInt8]) -> String {
    if head.isEmpty { return "the file is empty" }
    // PROTO 2, LONG1 of ten bytes: the magic number of torch before 1.6.
    let magic: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    if head.dropFirst(2).starts(with: magic) {
      return "a torch file in the format before torch 1.6, which is not read; " + resave
    }
    if head.count > 262, head[257...].starts(with: "ustar".utf8) {
      return "a tar archive, the torch format before 0.1.10, which is not read; " + resave
    }
    if head.starts(with: [0x1F, 0x8B]) { return "a gzip file; unpack it first" }
    if head.starts(with: "version https://git-lfs".utf8) {
      return "a git-lfs pointer, not the weights; fetch them with git lfs pull"
    }
    if head.first == UInt8(ascii: "<") { return "a web page, not weights; download the file again" }
    if head.first == 0x80 { return "a bare pickle without tensors in it; " + resave }
    return "neither a torch archive nor a safetensors file"
  }
}
