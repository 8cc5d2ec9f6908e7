// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers, read from bytes that are not trusted.

/// Reads the fields of one message.
///
/// Nothing is copied and nothing recurses: a message inside is read by a reader of its own.
/// - Source: protobuf.dev, "Encoding".
struct ProtobufReader {
  /// A field's value, by wire type.
  enum Value: Equatable {
    case varint(UInt64)
    case fixed64(UInt64)
    /// The place of text, bytes or a message.
    case bytes(Range<Int>)
    case fixed32(UInt32)
  }

  /// One field of a message.
  struct Field: Equatable {
    var number: Int
    var value: Value
  }

  /// What is wrong, and where.
  struct Failure: Error, Equatable {
    var offset: Int
    var problem: String
  }

  private let bytes: [UInt8]
  private let end: Int
  private var position: Int

  /// A reader of the message in a range of `bytes`.
  ///
  /// - Precondition: the range lies within the bytes.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next field, or nil at the end.
  ///
  /// - Throws: `Failure` with the offset of the field.
  mutating func next() throws(Failure) -> Field? {
    guard position < end else { return nil }
    let start = position
    let key = try varint()
    guard let number = Int(exactly: key >> 3), (1..<1 << 29).contains(number) else {
      throw Failure(offset: start, problem: "field number \(key >> 3)")
    }
    switch key & 7 {
    case 0: return Field(number: number, value: .varint(try varint()))
    case 1: return Field(number: number, value: .fixed64(try fixed(8)))
    case 2:
      let length = try varint()
      guard let count = Int(exactly: length), count <= end - position else {
        throw Failure(
          offset: start,
          problem: "field \(number) claims \(length) bytes, \(end - position) are left",
        )
      }
      defer { position += count }
      return Field(number: number, value: .bytes(position..<position + count))
    case 5: return Field(number: number, value: .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
    case 3, 4: throw Failure(offset: start, problem: "field \(number) is a group")
    default: throw Failure(offset: start, problem: "field \(number) has wire type \(key & 7)")
    }
  }

  private mutating func varint() throws(Failure) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard position < end else { throw Failure(offset: start, problem: "the number is cut off") }
      let byte = bytes[position]
      position += 1
      // The tenth byte has room for one bit.
      guard shift < 63 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Failure(offset: start, problem: "the number has more than 64 bits")
  }

  private mutating func fixed(_ count: Int) throws(Failure) -> UInt64 {
    guard count <= end - position else {
      throw Failure(offset: position, problem: "the number is cut off")
    }
    var value: UInt64 = 0
    for index in 0..<count { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
    position += count
    return value
  }
}
