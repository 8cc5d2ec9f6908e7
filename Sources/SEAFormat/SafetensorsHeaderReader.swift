// SPDX-License-Identifier: Apache-2.0
// The JSON text of a safetensors header as a stream of entries, each checked as it is read.

import SEATensor

/// Reads the entries of a header without building a document.
struct SafetensorsHeaderReader {
  private(set) var tensors: [SafetensorsInfo] = []
  private(set) var metadata: [SafetensorsHeader.Metadata] = []

  private let path: String
  private let limits: SafetensorsLimits
  private let dataStart: Int
  private let fileSize: Int
  private var cursor = JSONCursor(position: SafetensorsHeader.prefixBytes)
  private var names = ByteIndex()
  private var hasMetadata = false

  init(path: String, limits: SafetensorsLimits, dataStart: Int, fileSize: Int) {
    self.path = path
    self.limits = limits
    self.dataStart = dataStart
    self.fileSize = fileSize
  }

  /// Reads the whole header; offsets in errors count from the start of the file.
  mutating func read(_ text: Span<UInt8>, progress: (Int) -> Void) throws(FormatError) {
    do throws(JSONError) {
      try cursor.require(UInt8(ascii: "{"), text, expected: "'{'")
    } catch {
      throw malformed(error)
    }
    try readMembers(text) { (reader, name) throws(FormatError) in
      if name.hasSameBytes(as: "__metadata__") {
        try reader.readMetadata(text)
      } else {
        try reader.readTensor(named: name, text)
        if reader.tensors.count % 4096 == 0 { progress(reader.cursor.position) }
      }
    }
    while cursor.position < text.count {
      guard text[cursor.position] == UInt8(ascii: " ") else {
        throw malformed(cursor.unexpected(text, "only spaces after the header"))
      }
      cursor.position += 1
      if cursor.position % (1 << 20) == 0 { progress(cursor.position) }
    }
  }

  // MARK: - Entries

  private mutating func readMetadata(_ text: Span<UInt8>) throws(FormatError) {
    guard !hasMetadata else {
      throw malformed(.duplicateKey(offset: cursor.position, key: "__metadata__"))
    }
    hasMetadata = true
    try open(UInt8(ascii: "{"), text, expected: "an object of texts")
    let end = cursor.position + limits.metadataBytes
    var keys = ByteIndex()
    try readMembers(text, limit: limits.metadataBytes) { (reader, key) throws(FormatError) in
      let start = reader.cursor.position
      if let next = reader.cursor.peek(text), next != UInt8(ascii: "\"") {
        throw .metadata(path: reader.path, key: key, rule: "the value must be a text")
      }
      let value: String
      do throws(JSONError) {
        value = try reader.cursor.readString(text, limit: max(0, end - start))
      } catch .stringTooLong {
        throw .header(
          path: reader.path,
          rule: "byte \(start): metadata longer than \(reader.limits.metadataBytes) bytes"
        )
      } catch {
        throw reader.malformed(error)
      }
      let isNew = keys.insert(key, at: reader.metadata.count) { reader.metadata[$0].key }
      guard isNew else { throw reader.malformed(.duplicateKey(offset: start, key: key)) }
      reader.metadata.append(
        .init(key: key, value: value, range: start + 1..<reader.cursor.position - 1)
      )
    }
  }

  private mutating func readTensor(
    named name: String,
    _ text: Span<UInt8>,
  ) throws(FormatError) {
    let start = cursor.position
    guard tensors.count < limits.tensors else {
      throw .header(path: path, rule: "byte \(start): more than \(limits.tensors) tensors")
    }
    try checkName(name)
    var type: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    try open(UInt8(ascii: "{"), text, expected: "an object for tensor '\(name.printable())'")
    try readMembers(text) { (reader, field) throws(FormatError) in
      let isNew: Bool
      switch field {
      case "dtype":
        isNew = type == nil
        type = try reader.readType(of: name, text)
      case "shape":
        isNew = shape == nil
        shape = try reader.readNumbers(
          text,
          atMost: SafetensorsLimits.rank,
          tensor: name,
          field: "shape"
        )
      case "data_offsets":
        isNew = offsets == nil
        offsets = try reader.readNumbers(text, atMost: 2, tensor: name, field: "data_offsets")
      default:
        throw reader.broken(name, "unknown field '\(field.printable())'")
      }
      guard isNew else { throw reader.broken(name, "field '\(field)' appears twice") }
    }
    guard let type else { throw broken(name, "field 'dtype' is missing") }
    guard let shape else { throw broken(name, "field 'shape' is missing") }
    guard let offsets else { throw broken(name, "field 'data_offsets' is missing") }
    let range = try checkedRange(name, type, shape, offsets)
    let info = SafetensorsInfo(name: name, type: type, shape: shape, range: range)
    let isNew = names.insert(name, at: tensors.count) { tensors[$0].name }
    guard isNew else { throw broken(name, "appears twice in the header") }
    tensors.append(info)
  }

  // MARK: - Rules

  private func checkName(_ name: String) throws(FormatError) {
    guard !name.isEmpty else { throw broken(name, "the name is empty") }
    guard name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      throw broken(name, "the name holds a control character")
    }
    // Names end up as file names in other people's tools.
    let parts = name.utf8.split(omittingEmptySubsequences: false) { $0 == 0x2f || $0 == 0x5c }
    guard !parts.contains(where: { $0.elementsEqual("..".utf8) }) else {
      throw broken(name, "the name climbs out of its folder")
    }
  }

  private func checkedRange(
    _ name: String,
    _ type: ElementType,
    _ shape: [Int],
    _ offsets: [Int],
  ) throws(FormatError) -> Range<Int> {
    guard offsets.count == 2 else {
      throw broken(name, "'data_offsets' holds \(offsets.count) numbers, expected 2")
    }
    let (begin, end) = (offsets[0], offsets[1])
    guard begin <= end else {
      throw broken(name, "'data_offsets' begins at \(begin) and ends before, at \(end)")
    }
    let dataBytes = fileSize - dataStart
    guard end <= dataBytes else {
      throw broken(name, "'data_offsets' ends at \(end), past the \(dataBytes) bytes of data")
    }
    guard let expected = SafetensorsInfo.byteCount(type, shape) else {
      throw broken(name, "the size of shape \(shape) overflows")
    }
    guard end - begin == expected else {
      throw broken(
        name,
        "'data_offsets' spans \(end - begin) bytes, shape \(shape) of \(type.safetensorsName) "
          + "takes \(expected)"
      )
    }
    return dataStart + begin..<dataStart + end
  }

  // MARK: - Values

  private mutating func readType(
    of name: String,
    _ text: Span<UInt8>,
  ) throws(FormatError) -> ElementType {
    let spelling: String
    do throws(JSONError) {
      spelling = try cursor.readString(text, limit: 64)
    } catch {
      throw malformed(error)
    }
    guard let type = ElementType(rawValue: spelling) else {
      let known = ElementType.allCases.map(\.safetensorsName).joined(separator: " ")
      throw broken(
        name,
        "dtype '\(spelling.printable())' is not supported, only \(known) are"
      )
    }
    return type
  }

  /// Reads an array of whole numbers, refusing the one too many before it is stored.
  private mutating func readNumbers(
    _ text: Span<UInt8>,
    atMost limit: Int,
    tensor: String,
    field: String,
  ) throws(FormatError) -> [Int] {
    try open(UInt8(ascii: "["), text, expected: "an array of numbers")
    var numbers: [Int] = []
    cursor.skipSpace(text)
    if cursor.take(UInt8(ascii: "]"), text) { return numbers }
    while true {
      guard numbers.count < limit else {
        throw broken(tensor, "'\(field)' holds more than \(limit) numbers")
      }
      cursor.skipSpace(text)
      numbers.append(try readNumber(text, tensor: tensor, field: field))
      cursor.skipSpace(text)
      if cursor.take(UInt8(ascii: ","), text) { continue }
      guard cursor.take(UInt8(ascii: "]"), text) else {
        throw malformed(cursor.unexpected(text, "',' or ']'"))
      }
      return numbers
    }
  }

  private mutating func readNumber(
    _ text: Span<UInt8>,
    tensor: String,
    field: String,
  ) throws(FormatError) -> Int {
    let range: Range<Int>
    do throws(JSONError) {
      range = try cursor.readNumber(text)
    } catch {
      throw malformed(error)
    }
    var value = 0
    for index in range {
      let digit = Int(text[index]) - 0x30
      // Seventeen digits cannot overflow, and the largest number has sixteen.
      guard (0...9).contains(digit), index - range.lowerBound < 17 else {
        value = .max
        break
      }
      value = value * 10 + digit
    }
    guard value <= SafetensorsLimits.largestNumber else {
      var spelling = ""
      for index in range.prefix(32) { spelling.unicodeScalars.append(.init(text[index])) }
      throw broken(
        tensor,
        "'\(field)' holds \(spelling), expected a whole number of at most "
          + "\(SafetensorsLimits.largestNumber)"
      )
    }
    return value
  }

  // MARK: - Structure

  private mutating func open(
    _ byte: UInt8,
    _ text: Span<UInt8>,
    expected: String,
  ) throws(FormatError) {
    guard cursor.take(byte, text) else { throw malformed(cursor.unexpected(text, expected)) }
  }

  /// Reads the members of an object whose brace has been taken, calling `body` at each value.
  private mutating func readMembers(
    _ text: Span<UInt8>,
    limit: Int = SafetensorsLimits.nameBytes,
    _ body: (inout SafetensorsHeaderReader, _ key: String) throws(FormatError) -> Void,
  ) throws(FormatError) {
    cursor.skipSpace(text)
    if cursor.take(UInt8(ascii: "}"), text) { return }
    while true {
      let key: String
      do throws(JSONError) {
        cursor.skipSpace(text)
        key = try cursor.readString(text, limit: limit)
        cursor.skipSpace(text)
        try cursor.require(UInt8(ascii: ":"), text, expected: "':'")
        cursor.skipSpace(text)
      } catch {
        throw malformed(error)
      }
      try body(&self, key)
      cursor.skipSpace(text)
      if cursor.take(UInt8(ascii: ","), text) { continue }
      guard cursor.take(UInt8(ascii: "}"), text) else {
        throw malformed(cursor.unexpected(text, "',' or '}'"))
      }
      return
    }
  }

  private func malformed(_ error: JSONError) -> FormatError {
    .json(path: path, part: "header", error: error)
  }

  private func broken(_ name: String, _ rule: String) -> FormatError {
    .tensor(path: path, name: name, rule: rule)
  }
}
