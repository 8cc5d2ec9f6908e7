// SPDX-License-Identifier: Apache-2.0
// JSON values as text: members in their order, the same value always the same bytes.

extension JSONValue {
  /// The value as JSON text.
  ///
  /// Pretty text has one member a line, indented by two spaces, arrays of plain values on one line,
  /// and a final line end; otherwise there is no space at all.
  package func serialized(pretty: Bool = false) -> String {
    var bytes: [UInt8] = []
    write(to: &bytes, indent: pretty ? 0 : nil)
    if pretty { bytes.append(UInt8(ascii: "\n")) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the value as JSON text; `indent` is the current depth, or nil for no space at all.
  func write(to bytes: inout [UInt8], indent: Int?) {
    switch self {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
    case .number(let value): bytes.append(contentsOf: value.text.utf8)
    case .string(let value): Self.write(string: value, to: &bytes)
    case .array(let elements): Self.write(elements, to: &bytes, indent: indent)
    case .object(let object): Self.write(object, to: &bytes, indent: indent)
    }
  }

  private var isPlain: Bool {
    switch self {
    case .array(let elements): elements.isEmpty
    case .object(let object): object.isEmpty
    default: true
    }
  }

  private static func write(_ elements: [JSONValue], to bytes: inout [UInt8], indent: Int?) {
    let isOneLine = elements.allSatisfy(\.isPlain)
    let inner = isOneLine ? nil : indent.map { $0 + 1 }
    bytes.append(UInt8(ascii: "["))
    for (position, element) in elements.enumerated() {
      if position > 0 {
        bytes.append(UInt8(ascii: ","))
        if isOneLine, indent != nil { bytes.append(UInt8(ascii: " ")) }
      }
      startLine(in: &bytes, indent: inner)
      element.write(to: &bytes, indent: inner)
    }
    if !isOneLine { startLine(in: &bytes, indent: indent) }
    bytes.append(UInt8(ascii: "]"))
  }

  private static func write(_ object: JSONObject, to bytes: inout [UInt8], indent: Int?) {
    let inner = indent.map { $0 + 1 }
    bytes.append(UInt8(ascii: "{"))
    for (position, entry) in object.entries.enumerated() {
      if position > 0 { bytes.append(UInt8(ascii: ",")) }
      startLine(in: &bytes, indent: inner)
      write(string: entry.key, to: &bytes)
      bytes.append(UInt8(ascii: ":"))
      if indent != nil { bytes.append(UInt8(ascii: " ")) }
      entry.value.write(to: &bytes, indent: inner)
    }
    if !object.isEmpty { startLine(in: &bytes, indent: indent) }
    bytes.append(UInt8(ascii: "}"))
  }

  private static func startLine(in bytes: inout [UInt8], indent: Int?) {
    guard let indent else { return }
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * 2))
  }

  /// Appends a quoted string; only what must be escaped is.
  static func write(string: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
      case 0x08: bytes.append(contentsOf: "\\b".utf8)
      case 0x09: bytes.append(contentsOf: "\\t".utf8)
      case 0x0a: bytes.append(contentsOf: "\\n".utf8)
      case 0x0c: bytes.append(contentsOf: "\\f".utf8)
      case 0x0d: bytes.append(contentsOf: "\\r".utf8)
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        bytes.append(contentsOf: "\\u00".utf8)
        if digits.count < 2 { bytes.append(UInt8(ascii: "0")) }
        bytes.append(contentsOf: digits.utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
