// SPDX-License-Identifier: Apache-2.0
// Little-endian fields of a mapped file, every read checked against its end.

internal import SEATensor

/// Reads little-endian fields at given places of a file, and refuses places outside it.
struct ZipFieldReader: Sendable {
  let bytes: ByteView
  /// The file's path, for messages.
  let path: String

  /// Makes the error for a structural problem of this file.
  func fault(_ problem: String) -> CheckpointError {
    .malformed(path: path, problem: problem)
  }

  /// The 16-bit field at `offset`.
  func field16(_ offset: Int) throws(CheckpointError) -> Int {
    try check(offset, 2)
    return Int(bytes[offset]) | Int(bytes[offset + 1]) << 8
  }

  /// The 32-bit field at `offset`.
  func field32(_ offset: Int) throws(CheckpointError) -> UInt32 {
    try check(offset, 4)
    var value: UInt32 = 0
    for index in (0..<4).reversed() { value = value << 8 | UInt32(bytes[offset + index]) }
    return value
  }

  /// The 64-bit field at `offset`, which must fit a signed integer.
  func field64(_ offset: Int) throws(CheckpointError) -> Int {
    try check(offset, 8)
    var value: UInt64 = 0
    for index in (0..<8).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
    guard let result = Int(exactly: value) else {
      throw fault("field at byte \(offset) holds \(value), beyond any file size")
    }
    return result
  }

  /// The bytes of `range` as text; they must be valid UTF-8.
  func text(_ range: Range<Int>, what: String) throws(CheckpointError) -> String {
    try check(range.lowerBound, range.count)
    guard let text = String(validating: bytes.slice(range).array(), as: UTF8.self) else {
      throw fault("\(what) at byte \(range.lowerBound) is not valid UTF-8")
    }
    return text
  }

  /// Refuses a field of `width` bytes at `offset` that is not wholly inside the file.
  func check(_ offset: Int, _ width: Int) throws(CheckpointError) {
    guard offset >= 0, width >= 0, width <= bytes.count, offset <= bytes.count - width else {
      throw fault("needs \(width) bytes at byte \(offset), the file has \(bytes.count)")
    }
  }
}
