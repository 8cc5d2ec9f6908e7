// SPDX-License-Identifier: Apache-2.0
// The plan of a safetensors file to be written: where each tensor goes and the header that says so.

package import SEATensor

/// A tensor to be written.
package struct SafetensorsTensor: Sendable, Equatable {
  /// The name.
  package let name: String
  /// The type of each element.
  package let type: ElementType
  /// The dimensions, outermost first.
  package let shape: [Int]

  /// A tensor to be written.
  package init(_ name: String, _ type: ElementType, _ shape: [Int]) {
    self.name = name
    self.type = type
    self.shape = shape
  }
}

/// The header and positions of a file that does not exist yet.
///
/// The header is padded with spaces so that data start at a multiple of `alignment`, whatever the
/// metadata say.
struct SafetensorsLayout: Sendable {
  /// Data start at a multiple of this many bytes: a cache line, and the width of the widest vector.
  static let alignment = 64

  let path: String
  /// Ranges count from the start of the file.
  let tensors: [SafetensorsInfo]
  let headerBytes: Int
  let fileSize: Int

  /// Plans a file with room for `reserve` more bytes of metadata, and checks that a reader with the
  /// same limits accepts it.
  init(
    path: String,
    tensors: [SafetensorsTensor],
    metadata: [(key: String, value: String)],
    reserve: Int = 0,
    limits: SafetensorsLimits,
  ) throws(FormatError) {
    var end = 0
    var ranges: [Range<Int>] = []
    for tensor in tensors {
      guard let bytes = SafetensorsInfo.byteCount(tensor.type, tensor.shape) else {
        throw .tensor(
          path: path,
          name: tensor.name,
          rule: "the size of shape \(tensor.shape) overflows"
        )
      }
      let (sum, overflow) = end.addingReportingOverflow(bytes)
      // Half of the range stays free, so that adding the header cannot overflow either.
      guard !overflow, sum < Int.max / 2 else {
        throw .tensor(path: path, name: tensor.name, rule: "the file would be too large")
      }
      ranges.append(end..<sum)
      end = sum
    }
    let relative = zip(tensors, ranges).map { tensor, range in
      SafetensorsInfo(name: tensor.name, type: tensor.type, shape: tensor.shape, range: range)
    }
    let text = Self.text(relative, metadata)
    let start = Self.aligned(SafetensorsHeader.prefixBytes + text.count + reserve)
    self.path = path
    self.tensors = relative.map { tensor in
      let range = start + tensor.range.lowerBound..<start + tensor.range.upperBound
      return SafetensorsInfo(
        name: tensor.name,
        type: tensor.type,
        shape: tensor.shape,
        range: range
      )
    }
    headerBytes = start
    fileSize = start + end
    let header = try header(metadata: metadata)
    _ = try SafetensorsHeader(header.span, fileSize: fileSize, path: path, limits: limits)
  }

  /// The first bytes of the file, up to the data.
  ///
  /// - Throws: `FormatError.header` when the metadata do not fit in the room that was planned.
  func header(metadata: [(key: String, value: String)]) throws(FormatError) -> [UInt8] {
    let relative = tensors.map { tensor in
      let range = tensor.range.lowerBound - headerBytes..<tensor.range.upperBound - headerBytes
      return SafetensorsInfo(
        name: tensor.name,
        type: tensor.type,
        shape: tensor.shape,
        range: range
      )
    }
    let text = Self.text(relative, metadata)
    let room = headerBytes - SafetensorsHeader.prefixBytes
    guard text.count <= room else {
      throw .header(
        path: path,
        rule: "the header needs \(text.count) bytes, \(room) were kept free for it"
      )
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(headerBytes)
    for shift in 0..<SafetensorsHeader.prefixBytes {
      bytes.append(UInt8(truncatingIfNeeded: room >> (8 * shift)))
    }
    bytes.append(contentsOf: text)
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: room - text.count))
    return bytes
  }

  /// `count` rounded up to a multiple of the alignment.
  static func aligned(_ count: Int) -> Int {
    (count + alignment - 1) / alignment * alignment
  }

  private static func text(
    _ tensors: [SafetensorsInfo],
    _ metadata: [(key: String, value: String)],
  ) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(ascii: "{")]
    if !metadata.isEmpty {
      bytes.append(contentsOf: "\"__metadata__\":{".utf8)
      for (position, entry) in metadata.enumerated() {
        if position > 0 { bytes.append(UInt8(ascii: ",")) }
        JSONValue.write(string: entry.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        JSONValue.write(string: entry.value, to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
    for tensor in tensors {
      if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
      JSONValue.write(string: tensor.name, to: &bytes)
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      let range = tensor.range
      bytes.append(
        contentsOf: (":{\"dtype\":\"\(tensor.type.safetensorsName)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}").utf8
      )
    }
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }
}
