// SPDX-License-Identifier: Apache-2.0
// Every way a safetensors header can lie is refused, with the file and the rule in one line.

import Foundation
import SEAFormat
import SEATensor
import Testing

@Suite struct SafetensorsHeaderTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
  }

  /// Checks that a header is refused in one line that names the file and says `rule`.
  private func expectRefusal(
    _ header: String,
    data: Int = 0,
    saying rule: String,
    location: SourceLocation = #_sourceLocation,
  ) throws {
    let path = try scratch.safetensors(header, data: data)
    expectRefusal(path: path, saying: rule, location: location)
  }

  private func expectRefusal(
    path: String,
    saying rule: String,
    location: SourceLocation = #_sourceLocation,
  ) {
    let text = verdict(path)
    #expect(text.hasPrefix(path + ": "), sourceLocation: location)
    #expect(text.contains(rule), sourceLocation: location)
    #expect(!text.contains("\n") && text.count < 1000, sourceLocation: location)
  }

  // MARK: - Length

  @Test(arguments: [0, 1, 7, 8, 9])
  func refusesFilesTooSmallForAHeader(count: Int) throws {
    let path = try scratch.file("x", [UInt8](repeating: 0x20, count: count))
    expectRefusal(path: path, saying: "too small for a safetensors file: \(count) bytes")
  }

  @Test func refusesAnEmptyHeader() throws {
    let path = try scratch.file("x", prefix(0) + [0x7b, 0x7d])
    expectRefusal(path: path, saying: "header length is 0")
  }

  @Test(arguments: [UInt64.max, 1 << 63, 100_000_001])
  func refusesImpossibleHeaderLengths(length: UInt64) throws {
    let path = try scratch.file("x", prefix(length) + Array("{}".utf8))
    expectRefusal(path: path, saying: "header length \(length) is more than")
  }

  @Test func refusesAHeaderPastTheEnd() throws {
    let text = Array("{}".utf8)
    expectRefusal(
      path: try scratch.file("a", prefix(11) + text),
      saying: "more than the 2 bytes that follow"
    )
    expectRefusal(
      path: try scratch.file("b", prefix(3) + text),
      saying: "more than the 2 bytes that follow"
    )
    #expect(verdict(try scratch.file("c", prefix(2) + text)) == "accepted")
  }

  // MARK: - Text

  @Test func refusesAHeaderThatIsNotUTF8() throws {
    let header: [UInt8] = Array("{\"a".utf8) + [0xff] + Array("\":{}}".utf8)
    expectRefusal(
      path: try scratch.safetensors(header),
      saying: "header: byte 11: not valid UTF-8"
    )
  }

  @Test(arguments: ["[]", " {}", "\n{}", "\u{feff}{}", "1 ", "\"\""])
  func refusesAHeaderThatDoesNotStartWithABrace(header: String) throws {
    try expectRefusal(header, saying: "the header must start with '{'")
  }

  @Test func refusesEveryTruncatedHeader() throws {
    let header = Array(
      ("{\"__metadata__\":{\"k\":\"\\u00e9\"}," + entry("a", "F32", "2,2", "0", "16") + "}").utf8
    )
    #expect(verdict(try scratch.safetensors(header, data: 16)) == "accepted")
    for length in 1..<header.count {
      let path = try scratch.safetensors(Array(header[..<length]), data: 16)
      #expect(verdict(path).contains("header: byte"))
    }
  }

  @Test(arguments: [("[", "header: byte"), ("{\"a\":", "unknown field 'a'")])
  func refusesDeepNesting(open: String, rule: String) throws {
    let deep = String(repeating: open, count: 100_000)
    try expectRefusal("{\"a\":" + deep, saying: rule)
    try expectRefusal("{\"__metadata__\":{\"a\":" + deep, saying: "must be a text")
    try expectRefusal("{\"a\":{\"shape\":[" + deep, saying: "header: byte")
  }

  @Test(arguments: ["{}x", "{}\n", "{} \0", "{}{}"])
  func refusesAnythingButSpacesAfterTheHeader(header: String) throws {
    try expectRefusal(header, saying: "only spaces after the header")
  }

  @Test func acceptsPaddingWithSpaces() throws {
    #expect(verdict(try scratch.safetensors("{}      ")) == "accepted")
    #expect(verdict(try scratch.safetensors("{ \"__metadata__\" : { } }  ")) == "accepted")
  }

  // MARK: - Duplicates

  @Test func refusesDuplicateTensors() throws {
    let a = entry("a", "U8", "1", "0", "1")
    try expectRefusal("{\(a),\(a)}", data: 1, saying: "tensor 'a': appears twice")
    let escaped = entry("\\u0061", "U8", "1", "1", "2")
    try expectRefusal("{\(a),\(escaped)}", data: 2, saying: "tensor 'a': appears twice")
  }

  @Test func keepsNamesApartThatDifferOnlyInBytes() throws {
    let composed = entry("\u{e9}", "U8", "1", "0", "1")
    let decomposed = entry("e\u{301}", "U8", "2", "1", "3")
    let path = try scratch.safetensors("{\(composed),\(decomposed)}", data: 3)
    let file = try SafetensorsFile(path: path)
    #expect(file.info("\u{e9}")?.shape == [1])
    #expect(file.info("e\u{301}")?.shape == [2])
  }

  @Test func refusesDuplicateFields() throws {
    for field in ["\"dtype\":\"U8\"", "\"shape\":[1]", "\"data_offsets\":[0,1]"] {
      try expectRefusal(
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\(field)}}",
        data: 1,
        saying: "appears twice"
      )
    }
    try expectRefusal(
      "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}",
      saying: "key 'k' appears twice"
    )
    try expectRefusal(
      "{\"__metadata__\":{},\"__metadata__\":{}}",
      saying: "'__metadata__' appears twice"
    )
  }

  @Test func refusesMissingAndUnknownFields() throws {
    try expectRefusal("{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", data: 1, saying: "'dtype'")
    try expectRefusal(
      "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}",
      data: 1,
      saying: "'shape'"
    )
    try expectRefusal("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", data: 1, saying: "'data_offsets'")
    try expectRefusal("{\"a\":{\"strides\":[1]}}", data: 1, saying: "unknown field 'strides'")
    try expectRefusal("{\"a\":1}", saying: "expected an object for tensor 'a'")
  }

  // MARK: - Positions

  @Test func refusesOverlaps() throws {
    let a = entry("a", "U8", "8", "0", "8")
    try expectRefusal(
      "{\(a),\(entry("b", "U8", "8", "7", "15"))}",
      data: 15,
      saying: "tensor 'b': its bytes overlap those of tensor 'a'"
    )
    try expectRefusal("{\(a),\(entry("b", "U8", "8", "0", "8"))}", data: 8, saying: "overlap")
    try expectRefusal("{\(a),\(entry("b", "U8", "0", "4", "4"))}", data: 8, saying: "overlap")
  }

  @Test func refusesHolesAndBytesAfterTheLastTensor() throws {
    let a = entry("a", "U8", "8", "0", "8")
    try expectRefusal(
      "{\(a),\(entry("b", "U8", "1", "9", "10"))}",
      data: 10,
      saying: "belong to no tensor"
    )
    try expectRefusal(
      "{\(entry("a", "U8", "8", "1", "9"))}",
      data: 9,
      saying: "belong to no tensor"
    )
    try expectRefusal("{\(a)}", data: 9, saying: "1 bytes after the last tensor")
    try expectRefusal("{}", data: 1, saying: "1 bytes after the last tensor")
  }

  @Test func refusesReversedAndDistantPositions() throws {
    try expectRefusal("{\(entry("a", "U8", "1", "2", "1"))}", data: 2, saying: "ends before")
    try expectRefusal("{\(entry("a", "U8", "9", "0", "9"))}", data: 8, saying: "past the 8 bytes")
    try expectRefusal("{\"a\":{\"data_offsets\":[0,1,2]}}", data: 8, saying: "more than 2 numbers")
    try expectRefusal(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}",
      data: 1,
      saying: "holds 1 numbers"
    )
  }

  @Test func acceptsTensorsInAnyOrder() throws {
    let header = "{\(entry("b", "F16", "2", "8", "12")),\(entry("a", "F32", "2", "0", "8"))}"
    let file = try SafetensorsFile(path: try scratch.safetensors(header, data: 12))
    #expect(file.tensorNames == ["a", "b"])
  }

  // MARK: - Numbers

  @Test(arguments: [
    "-1", "-0", "1.0", "0.5", "1e0", "1e300", "9007199254740993", "18446744073709551616",
    "99999999999999999999999999999999999999",
  ])
  func refusesNumbersThatAreNoCounts(number: String) throws {
    let rule = "expected a whole number of at most 9007199254740992"
    try expectRefusal("{\(entry("a", "U8", number, "0", "1"))}", data: 1, saying: rule)
    try expectRefusal("{\(entry("a", "U8", "0,\(number)", "0", "0"))}", saying: rule)
    try expectRefusal("{\(entry("a", "U8", "1", "0", number))}", data: 1, saying: rule)
    try expectRefusal("{\(entry("a", "U8", "1", number, "1"))}", data: 1, saying: rule)
  }

  @Test(arguments: ["01", "0x1", "NaN", "+1", "\"1\"", "null", "[1]", "{}", "true", ""])
  func refusesWhatIsNoNumber(number: String) throws {
    try expectRefusal(
      "{\(entry("a", "U8", "1,\(number)", "0", "1"))}",
      data: 1,
      saying: "header: byte"
    )
  }

  @Test(arguments: [
    "4294967296,4294967296", "9007199254740992,1024", "3037000500,3037000500",
    "9007199254740992,9007199254740992,9007199254740992", "2305843009,2305843009",
  ])
  func refusesShapesWhoseSizeOverflows(shape: String) throws {
    try expectRefusal("{\(entry("a", "F64", shape, "0", "0"))}", saying: "tensor 'a': ")
    try expectRefusal("{\(entry("a", "F64", shape, "0", "8"))}", data: 8, saying: "tensor 'a': ")
  }

  @Test func refusesSizesOffByOne() throws {
    for bytes in [15, 17] {
      try expectRefusal(
        "{\(entry("a", "F32", "2,2", "0", "\(bytes)"))}",
        data: bytes,
        saying: "spans \(bytes) bytes, shape [2, 2] of F32 takes 16"
      )
    }
  }

  // MARK: - Shapes and types

  @Test func acceptsScalarsAndEmptyTensors() throws {
    let header = [
      entry("scalar", "F32", "", "0", "4"), entry("none", "F32", "0", "4", "4"),
      entry("flat", "I64", "3,0,5", "4", "4"), entry("last", "U8", "1", "4", "5"),
    ].joined(separator: ",")
    let file = try SafetensorsFile(path: try scratch.safetensors("{\(header)}", data: 5))
    #expect(file.info("scalar")?.shape == [])
    #expect(file.info("scalar")?.elementCount == 1)
    #expect(file.info("flat")?.shape == [3, 0, 5])
    #expect(try file.bytes(of: "none").isEmpty)
    #expect(file.tensorNames == ["scalar", "none", "flat", "last"])
  }

  @Test func refusesTooManyDimensions() throws {
    let eight = Array(repeating: "1", count: 8).joined(separator: ",")
    #expect(
      verdict(try scratch.safetensors("{\(entry("a", "U8", eight, "0", "1"))}", data: 1))
        == "accepted"
    )
    try expectRefusal(
      "{\(entry("a", "U8", eight + ",1", "0", "1"))}",
      data: 1,
      saying: "holds more than 8 numbers"
    )
    let million = Array(repeating: "1", count: 1_000_000).joined(separator: ",")
    try expectRefusal(
      "{\(entry("a", "U8", million, "0", "1"))}",
      data: 1,
      saying: "holds more than 8 numbers"
    )
  }

  @Test(arguments: ["F8_E4M3", "F8_E5M2", "I4", "F4", "U16", "U64", "C64", "f32", "", "F32 "])
  func refusesUnsupportedTypesByName(type: String) throws {
    try expectRefusal(
      "{\(entry("w", type, "1", "0", "1"))}",
      data: 1,
      saying: "tensor 'w': dtype '\(type)' is not"
    )
  }

  @Test(arguments: ElementType.allCases)
  func acceptsEveryElementType(type: ElementType) throws {
    let bytes = 3 * type.size
    let header = "{\(entry("w", type.safetensorsName, "3", "0", "\(bytes)"))}"
    let file = try SafetensorsFile(path: try scratch.safetensors(header, data: bytes))
    #expect(file.info("w")?.type == type)
    #expect(file.info("w")?.elementCount == 3)
  }

  // MARK: - Metadata

  @Test(arguments: ["1", "null", "true", "[]", "{}"])
  func refusesMetadataThatAreNoTexts(value: String) throws {
    try expectRefusal(
      "{\"__metadata__\":{\"k\":\(value)}}",
      saying: "metadata 'k': the value must be a text"
    )
    try expectRefusal("{\"__metadata__\":1}", saying: "header: byte")
  }

  @Test func boundsMetadata() throws {
    func header(_ count: Int) -> String {
      "{\"__metadata__\":{\"k\":\"" + String(repeating: "x", count: count) + "\"}}"
    }
    #expect(verdict(try scratch.safetensors(header(900_000))) == "accepted")
    try expectRefusal(header(1_000_001), saying: "longer than")
    let large = try scratch.safetensors(header(50_000_000))
    let clock = ContinuousClock()
    let time = clock.measure { expectRefusal(path: large, saying: "longer than") }
    #expect(time < .seconds(1))
    let many = (0..<100_000).map { "\"key\($0)\":\"value\"" }.joined(separator: ",")
    try expectRefusal("{\"__metadata__\":{\(many)}}", saying: "metadata longer than 1000000 bytes")
  }

  @Test func readsMetadataInOrder() throws {
    let path = try scratch.safetensors(#"{"__metadata__":{"z":"1","a":"\n\"é"}}"#)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata.map(\.key) == ["z", "a"])
    #expect(file.metadata("a") == "\n\"é")
    #expect(file.metadata("b") == nil)
  }

  // MARK: - Counts and names

  @Test func refusesTooManyTensorsQuickly() throws {
    // As many one-byte tensors as a header of the largest size holds, and a file ten times that.
    let item = "\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
    var header = Array("{".utf8)
    header.reserveCapacity(100_000_000)
    for number in 0..<1_600_000 {
      let at = header.count + 1
      header.append(contentsOf: item.utf8)
      header.insert(contentsOf: String(number, radix: 36).utf8, at: at)
      if header.count > 99_000_000 { break }
    }
    header[header.count - 1] = UInt8(ascii: "}")
    let path = try scratch.safetensors(header, data: 1)
    header = []
    let clock = ContinuousClock()
    let time = clock.measure { expectRefusal(path: path, saying: "more than 131072 tensors") }
    #expect(time < .seconds(1))
    let ten = try scratch.file("ten", prefix(520_000_000) + Array("{\(item)".utf8))
    expectRefusal(path: ten, saying: "header length 520000000 is more than the 100000000 accepted")
  }

  @Test func boundsTensorsOfModelFilesMoreTightly() throws {
    let items = (0..<65_537).map { entry("\($0)", "U8", "0", "0", "0") }
    let path = try scratch.safetensors("{" + items.joined(separator: ",") + "}")
    #expect(verdict(path) == "accepted")
    #expect(verdict(path, limits: .model).contains("more than 65536 tensors"))
  }

  @Test(arguments: [
    ("\\u0000", "control character"), ("a\\nb", "control character"), ("a\\u001b[2J", "control"),
    ("a\u{7f}", "control character"), ("", "the name is empty"), ("../x", "climbs out"),
    ("a/../b", "climbs out"), ("..", "climbs out"), ("a\\\\..", "climbs out"),
  ])
  func refusesHostileNames(name: String, rule: String) throws {
    try expectRefusal("{\(entry(name, "U8", "1", "0", "1"))}", data: 1, saying: rule)
  }

  @Test func boundsNames() throws {
    let longest = String(repeating: "n", count: 512)
    #expect(
      verdict(try scratch.safetensors("{\(entry(longest, "U8", "", "0", "1"))}", data: 1))
        == "accepted"
    )
    try expectRefusal(
      "{\(entry(longest + "n", "U8", "", "0", "1"))}",
      data: 1,
      saying: "longer than 512 bytes"
    )
    try expectRefusal(
      "{\(entry(String(repeating: "n", count: 1 << 20), "U8", "", "0", "1"))}",
      data: 1,
      saying: "longer than 512 bytes"
    )
  }

  @Test func printsNamesOnOneLine() throws {
    let path = try scratch.safetensors("{\(entry("a\\u202eb\\r", "U8", "", "0", "1"))}", data: 1)
    #expect(verdict(path).contains(#"'a\u{202e}b\u{d}'"#))
  }

  // MARK: - Everything else

  /// Flips each bit of a sound header: the file is accepted or refused, and never misread.
  @Test func survivesEveryFlippedBit() throws {
    let header =
      "{\"__metadata__\":{\"k\":\"v\"},\(entry("a", "F32", "2,2", "0", "16")),"
      + "\(entry("b", "U8", "3", "16", "19"))}"
    let sound = prefix(UInt64(header.utf8.count)) + Array(header.utf8)
    let data = [UInt8](repeating: 7, count: 19)
    for position in sound.indices {
      for bit in 0..<8 {
        var bytes = sound
        bytes[position] ^= 1 << bit
        bytes += data
        guard
          let parsed = try? SafetensorsHeader(
            bytes.span,
            fileSize: bytes.count,
            path: "flipped",
            limits: .foreign
          )
        else { continue }
        var end = parsed.dataStart
        for tensor in parsed.tensors {
          #expect(tensor.range.lowerBound == end)
          #expect(SafetensorsInfo.byteCount(tensor.type, tensor.shape) == tensor.byteCount)
          end = tensor.range.upperBound
        }
        #expect(end == bytes.count)
      }
    }
  }

  @Test func refusesWhatIsNoRegularFile() throws {
    #expect(verdict(scratch.folder).contains("not a regular file"))
    #expect(verdict("/dev/zero").contains("not a regular file"))
    #expect(verdict(scratch.path("nothing")).contains("no such file"))
  }

  @Test func opensLargeSparseFiles() throws {
    let bytes = 5 << 30
    let header = "{\(entry("a", "U8", "\(bytes)", "0", "\(bytes)"))}"
    let path = try scratch.safetensors(header)
    #expect(truncate(path, off_t(8 + header.utf8.count + bytes)) == 0)
    let file = try SafetensorsFile(path: path)
    #expect(try file.bytes(of: "a").count == bytes)
    #expect(try file.bytes(of: "a")[bytes - 1] == 0)
  }
}
