// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors file, read in one pass and believed in nothing.

/// What a safetensors header says, after every rule of the format has been checked.
///
/// The tensors tile the data section: no overlap, no hole, no byte after the last. The header is
/// read as a stream, so a hostile one is refused at its first offence, before anything that it
/// claims is allocated.
///
/// - Source: the safetensors format; reference.md D.6.
package struct SafetensorsHeader: Sendable {
  /// One text of the metadata.
  package struct Metadata: Sendable, Equatable {
    /// The key.
    package let key: String
    /// The text.
    package let value: String
    /// Where the text is written, without its quotes, counted from the start of the file.
    package let range: Range<Int>
  }

  /// The tensors in the order of their bytes.
  package private(set) var tensors: [SafetensorsInfo] = []
  /// The metadata in the order written; empty when there are none.
  package private(set) var metadata: [Metadata] = []
  /// Where the data section starts in the file.
  package let dataStart: Int

  /// Bytes of the length that comes before the JSON text.
  static let prefixBytes = 8

  /// Reads and checks a header.
  ///
  /// - Parameters:
  ///   - bytes: the start of the file, at least the whole header.
  ///   - fileSize: the bytes of the whole file.
  ///   - path: the file's name for messages.
  ///   - limits: how much the header may claim.
  ///   - progress: called now and then with the number of bytes that are not needed any more.
  /// - Throws: `FormatError` naming the file, the tensor or the byte offset, and the rule.
  package init(
    _ bytes: Span<UInt8>,
    fileSize: Int,
    path: String,
    limits: SafetensorsLimits,
    progress: (Int) -> Void = { _ in },
  ) throws(FormatError) {
    dataStart = try Self.dataStart(bytes, fileSize: fileSize, path: path, limits: limits)
    guard dataStart <= bytes.count else {
      throw .header(path: path, rule: "the header is cut off")
    }
    var reader = SafetensorsHeaderReader(
      path: path,
      limits: limits,
      dataStart: dataStart,
      fileSize: fileSize
    )
    try reader.read(bytes.extracting(first: dataStart), progress: progress)
    metadata = reader.metadata
    tensors = try Self.sorted(reader.tensors, path: path, dataStart: dataStart, end: fileSize)
  }

  /// Reads the length of the header and returns where the header ends.
  private static func dataStart(
    _ bytes: Span<UInt8>,
    fileSize: Int,
    path: String,
    limits: SafetensorsLimits,
  ) throws(FormatError) -> Int {
    let smallest = prefixBytes + 2
    guard fileSize >= smallest, bytes.count >= smallest else {
      throw .header(
        path: path,
        rule: "too small for a safetensors file: \(fileSize) bytes, at least \(smallest) needed"
      )
    }
    var length: UInt64 = 0
    for index in (0..<prefixBytes).reversed() { length = length << 8 | UInt64(bytes[index]) }
    guard length > 0 else {
      throw .header(path: path, rule: "byte 0: header length is 0")
    }
    guard length <= UInt64(limits.headerBytes) else {
      throw .header(
        path: path,
        rule: "byte 0: header length \(length) is more than the \(limits.headerBytes) accepted"
      )
    }
    guard length <= UInt64(fileSize - prefixBytes) else {
      throw .header(
        path: path,
        rule: "byte 0: header length \(length) is more than the \(fileSize - prefixBytes) bytes "
          + "that follow"
      )
    }
    guard bytes[prefixBytes] == UInt8(ascii: "{") else {
      throw .header(path: path, rule: "byte 8: the header must start with '{'")
    }
    return prefixBytes + Int(length)
  }

  /// Sorts by position and checks that the tensors tile the data section.
  private static func sorted(
    _ tensors: [SafetensorsInfo],
    path: String,
    dataStart: Int,
    end: Int,
  ) throws(FormatError) -> [SafetensorsInfo] {
    let order = tensors.indices.sorted { left, right in
      let (a, b) = (tensors[left].range, tensors[right].range)
      return (a.lowerBound, a.upperBound, left) < (b.lowerBound, b.upperBound, right)
    }
    var result: [SafetensorsInfo] = []
    result.reserveCapacity(tensors.count)
    var position = dataStart
    for index in order {
      let tensor = tensors[index]
      guard tensor.range.lowerBound >= position else {
        let other = result.last?.name.printable() ?? ""
        throw .tensor(
          path: path,
          name: tensor.name,
          rule: "its bytes overlap those of tensor '\(other)'"
        )
      }
      guard tensor.range.lowerBound == position else {
        throw .tensor(
          path: path,
          name: tensor.name,
          rule: "bytes \(position)..<\(tensor.range.lowerBound) before it belong to no tensor"
        )
      }
      position = tensor.range.upperBound
      result.append(tensor)
    }
    guard position == end else {
      throw .header(
        path: path,
        rule: "byte \(position): \(end - position) bytes after the last tensor"
      )
    }
    return result
  }
}
