// SPDX-License-Identifier: Apache-2.0
// A table as a spreadsheet file: a stored ZIP archive of a few XML parts.

/// Writes one sheet of cells (Office Open XML).
package enum Spreadsheet {
  /// The bytes of an `.xlsx` file.
  ///
  /// - Parameters:
  ///   - rows: cells by row; the first row names the columns.
  ///   - numbers: names of columns whose cells are whole numbers.
  /// - Returns: the same bytes for the same cells.
  package static func bytes(_ rows: [[String]], numbers: Set<String> = []) -> [UInt8] {
    let header = rows.first ?? []
    let isNumber = header.map(numbers.contains)
    var sheet = declaration + "<worksheet xmlns=\"\(main)\"><sheetData>"
    for (index, row) in rows.enumerated() {
      sheet += "<row r=\"\(index + 1)\">"
      for (column, cell) in row.enumerated() where !cell.isEmpty {
        let place = "\(name(of: column))\(index + 1)"
        if index > 0, isNumber.indices.contains(column), isNumber[column], let value = Int(cell) {
          sheet += "<c r=\"\(place)\"><v>\(value)</v></c>"
        } else {
          sheet +=
            "<c r=\"\(place)\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
            + "\(escaped(cell))</t></is></c>"
        }
      }
      sheet += "</row>"
    }
    sheet += "</sheetData></worksheet>"
    return archive([
      ("[Content_Types].xml", contentTypes), ("_rels/.rels", packageLinks),
      ("xl/workbook.xml", workbook), ("xl/_rels/workbook.xml.rels", workbookLinks),
      ("xl/worksheets/sheet1.xml", sheet),
    ])
  }

  /// The name of a column: A to Z, then AA, AB and so on.
  private static func name(of column: Int) -> String {
    let letter = String(Character(Unicode.Scalar(UInt8(65 + column % 26))))
    return column < 26 ? letter : name(of: column / 26 - 1) + letter
  }

  /// Text as XML holds it; control characters that XML has no place for are left out.
  private static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result.append(contentsOf: "&amp;".unicodeScalars)
      case "<": result.append(contentsOf: "&lt;".unicodeScalars)
      case ">": result.append(contentsOf: "&gt;".unicodeScalars)
      case "\r": result.append(contentsOf: "&#13;".unicodeScalars)
      case "\t", "\n": result.append(scalar)
      default:
        if scalar.value >= 0x20, scalar.value != 0xfffe, scalar.value != 0xffff {
          result.append(scalar)
        }
      }
    }
    return String(result)
  }

  // MARK: - Parts

  private static let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>"
  private static let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
  private static let links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
  private static let packages = "http://schemas.openxmlformats.org/package/2006"
  private static let types =
    "application/vnd.openxmlformats-officedocument.spreadsheetml"

  private static let contentTypes =
    declaration + "<Types xmlns=\"\(packages)/content-types\">"
    + "<Default Extension=\"rels\" "
    + "ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
    + "<Default Extension=\"xml\" ContentType=\"application/xml\"/>"
    + "<Override PartName=\"/xl/workbook.xml\" ContentType=\"\(types).sheet.main+xml\"/>"
    + "<Override PartName=\"/xl/worksheets/sheet1.xml\" ContentType=\"\(types).worksheet+xml\"/>"
    + "</Types>"

  private static let packageLinks =
    declaration + "<Relationships xmlns=\"\(packages)/relationships\">"
    + "<Relationship Id=\"rId1\" Type=\"\(links)/officeDocument\" Target=\"xl/workbook.xml\"/>"
    + "</Relationships>"

  private static let workbook =
    declaration + "<workbook xmlns=\"\(main)\" xmlns:r=\"\(links)\"><sheets>"
    + "<sheet name=\"Sheet1\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"

  private static let workbookLinks =
    declaration + "<Relationships xmlns=\"\(packages)/relationships\">"
    + "<Relationship Id=\"rId1\" Type=\"\(links)/worksheet\" Target=\"worksheets/sheet1.xml\"/>"
    + "</Relationships>"

  // MARK: - Archive

  /// A ZIP archive of uncompressed files, all dated 1 January 1980.
  private static func archive(_ files: [(name: String, text: String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for file in files {
      let content = Array(file.text.utf8)
      let name = Array(file.name.utf8)
      let offset = UInt32(clamping: bytes.count)
      let size = UInt32(clamping: content.count)
      // Version 2.0, flag 11 for UTF-8 names, stored, time, date, checksum, sizes, length of the name.
      let shared =
        little(UInt16(20)) + little(UInt16(0x800)) + little(UInt16(0)) + little(UInt16(0))
        + little(UInt16(0x21)) + little(checksum(content)) + little(size) + little(size)
        + little(UInt16(clamping: name.count)) + little(UInt16(0))
      bytes += little(UInt32(0x0403_4b50)) + shared + name + content
      directory += little(UInt32(0x0201_4b50)) + little(UInt16(20)) + shared
      directory += [UInt8](repeating: 0, count: 10) + little(offset) + name
    }
    let start = UInt32(clamping: bytes.count)
    let count = UInt16(clamping: files.count)
    bytes += directory
    bytes += little(UInt32(0x0605_4b50)) + little(UInt32(0)) + little(count) + little(count)
    bytes += little(UInt32(clamping: directory.count)) + little(start) + little(UInt16(0))
    return bytes
  }

  private static func little<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Number($0 * 8)) }
  }

  /// CRC-32 as ZIP has it (polynomial 0xedb88320).
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = ~0
    for byte in bytes {
      sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ (sum >> 8)
    }
    return ~sum
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { sum, _ in sum & 1 == 1 ? 0xedb8_8320 ^ (sum >> 1) : sum >> 1 }
  }
}
