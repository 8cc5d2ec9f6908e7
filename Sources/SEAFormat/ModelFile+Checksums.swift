// SPDX-License-Identifier: Apache-2.0
// Whether the bytes of a model file are those that were written.

import SEATensor

extension ModelFile {
  /// Bytes that are read and given back together while checksums are taken.
  private static let verifyChunk = 16 << 20

  /// Reads every byte and compares all checksums, the header's last.
  ///
  /// - Parameter progress: called with the bytes read so far and the bytes of the whole file.
  /// - Throws: `FormatError.checksum` naming the first damaged tensor, or the header.
  package func verify(
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(FormatError) {
    let key = ModelManifest.Key.checksums
    let checksums = try Self.object(key, in: file).object ?? JSONObject()
    guard checksums.count == file.tensors.count else {
      throw .metadata(
        path: path,
        key: key,
        rule: "\(checksums.count) checksums for \(file.tensors.count) tensors"
      )
    }
    for tensor in file.tensors {
      guard let stored = checksums[tensor.name]?.string else {
        throw .metadata(
          path: path,
          key: key,
          rule: "no checksum for tensor '\(tensor.name.printable())'"
        )
      }
      let computed = checksum(tensor.range, progress: progress)
      guard stored == computed else {
        throw .checksum(
          path: path,
          part: "tensor '\(tensor.name.printable())'",
          stored: stored,
          computed: computed
        )
      }
    }
    // After the tensors, so that damage is told as precisely as it is known.
    try verifyHeader()
  }

  private func verifyHeader() throws(FormatError) {
    let key = ModelManifest.Key.headerChecksum
    guard let entry = file.header.metadata.first(where: { $0.key.hasSameBytes(as: key) }),
      entry.range.count == ModelManifest.blankChecksum.utf8.count
    else {
      throw .metadata(path: path, key: key, rule: "eight digits are missing")
    }
    let digits = Array(ModelManifest.blankChecksum.utf8)
    let bytes = mapping.bytes
    var crc = CRC32C()
    bytes.withSpan { crc.update($0.extracting(first: entry.range.lowerBound)) }
    crc.update(digits.span)
    bytes.withSpan {
      crc.update($0.extracting(entry.range.upperBound..<file.header.dataStart))
    }
    guard entry.value == crc.digits else {
      throw .checksum(path: path, part: "the header", stored: entry.value, computed: crc.digits)
    }
  }

  private func checksum(_ range: Range<Int>, progress: (Int, Int) -> Void) -> String {
    var crc = CRC32C()
    var position = range.lowerBound
    while position < range.upperBound {
      let end = min(position + Self.verifyChunk, range.upperBound)
      mapping.bytes.slice(position..<end).withSpan { crc.update($0) }
      mapping.release(position..<end)
      position = end
      progress(position, mapping.count)
    }
    return crc.digits
  }
}
