// SPDX-License-Identifier: Apache-2.0
// The JSON reader accepts the standard and nothing else.

import SEAFormat
import Testing

@Suite struct JSONScannerTests {
  // MARK: - What is accepted

  @Test func readsEveryKindOfValue() throws {
    let value = try parse(#" {"a":[1,-2.5e3,true,false,null,"x"],"b":{}} "#)
    #expect(value["a"]?.array?.count == 6)
    #expect(value["a"]?.array?[0].int == 1)
    #expect(value["a"]?.array?[1].double == -2500)
    #expect(value["a"]?.array?[1].int == nil)
    #expect(value["a"]?.array?[2].bool == true)
    #expect(value["a"]?.array?[4].isNull == true)
    #expect(value["b"]?.object?.isEmpty == true)
    #expect(value["c"] == nil)
  }

  @Test(arguments: [
    "0", "-0", "1.5", "1E+2", "1e300", "123456789012345678901234567890", "\"\"", "[]",
  ])
  func acceptsScalarDocuments(text: String) throws {
    #expect(try parse(text).serialized() == text)
  }

  @Test func keepsIntegersExactly() throws {
    #expect(try parse("9007199254740993").int == 9_007_199_254_740_993)
    #expect(try parse("9223372036854775807").int == .max)
    #expect(try parse("9223372036854775808").int == nil)
    #expect(try parse("-9223372036854775808").int == .min)
    #expect(try parse("1e3").int == nil)
    #expect(try parse("1.0").int == nil)
  }

  @Test func keepsLargeNumbersAsDoubles() throws {
    #expect(try parse("1e300").double == 1e300)
    #expect(try parse("1e400").double == nil)
    #expect(try parse("1e400").serialized() == "1e400")
  }

  @Test func joinsSurrogatesAndDecodesEscapes() throws {
    let value = try parse(#""\ud83d\ude00 \u00e9\n\t\"\\\/\b\f\r\u0000""#)
    #expect(Array((value.string ?? "").utf8) == Array("😀 é\n\t\"\\/\u{8}\u{c}\r\0".utf8))
  }

  @Test func keepsBytesOfEquivalentKeysApart() throws {
    let value = try parse("{\"\u{e9}\":1,\"e\u{301}\":2}")
    #expect(value["\u{e9}"]?.int == 1)
    #expect(value["e\u{301}"]?.int == 2)
    #expect(value != (try parse("{\"e\u{301}\":1,\"\u{e9}\":2}")))
  }

  @Test func findsMembersOfLargeObjects() throws {
    let members = (0..<5000).map { "\"key\($0)\":\($0)" }.joined(separator: ",")
    let object = try #require(try parse("{" + members + "}").object)
    #expect(object.count == 5000)
    for number in 0..<5000 where object["key\(number)"]?.int != number {
      Issue.record("key \(number) lost")
    }
    #expect(object["key5000"] == nil)
    #expect(object.entries[17].key == "key17")
  }

  // MARK: - What is refused

  @Test(arguments: [
    "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{,}",
    "{a:1}", "{'a':1}", "{1:2}", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "1.5.2", "1-2",
    "NaN", "Infinity", "-Infinity", "nan", "tru", "truee", "nul", "\"", "\"a", "\"\\", "\"\\x\"",
    "\"\\u12\"", "\"\\u12g4\"", "1 2", "[] []", "// c\n1", "/* */1", "[1 2]", "{\"a\" 1}",
    "\u{a0}1",
    "\u{c}1", "\0",
  ])
  func refuses(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test func namesTheOffsetOfTheFirstOffence() {
    #expect(throws: JSONError.unexpected(offset: 5, found: 0x7d, expected: "a value")) {
      try parse(#"{"a":}"#)
    }
    #expect(throws: JSONError.unexpected(offset: 3, found: nil, expected: "the end of the string"))
    {
      try parse(#"["a"#)
    }
  }

  @Test func refusesDuplicateKeysInSmallAndLargeObjects() {
    #expect(throws: JSONError.duplicateKey(offset: 7, key: "a")) { try parse(#"{"a":1,"a":1}"#) }
    #expect(throws: JSONError.duplicateKey(offset: 7, key: "a")) {
      try parse(#"{"a":1,"\u0061":1}"#)
    }
    let members = (0..<1000).map { "\"\($0)\":0" }.joined(separator: ",")
    #expect(throws: JSONError.self) { try parse("{\(members),\"500\":0}") }
  }

  @Test func refusesDeepNestingWithoutDeepRecursion() {
    let open = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError.tooDeep(offset: 64, limit: 64)) { try parse(open) }
    let objects = String(repeating: "{\"a\":", count: 100_000)
    #expect(throws: JSONError.tooDeep(offset: 64 * 5, limit: 64)) { try parse(objects) }
  }

  @Test func acceptsNestingUpToTheLimit() throws {
    let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    #expect(try parse(text).serialized() == text)
  }

  @Test(arguments: [#""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud83dx""#, #""\ud83d\n""#])
  func refusesHalfSurrogates(text: String) {
    #expect(throws: JSONError.loneSurrogate(offset: 1)) { try parse(text) }
  }

  @Test func replacesHalfSurrogatesWhenAsked() throws {
    let limits = JSONLimits(loneSurrogates: .replaced)
    let value = try JSONScanner.parse(Array(#""\ud83dx\udc00\ud800\u0041""#.utf8), limits: limits)
    #expect(value.string == "\u{fffd}x\u{fffd}\u{fffd}A")
  }

  @Test func refusesAByteOrderMark() {
    #expect(throws: JSONError.byteOrderMark) { try parse("\u{feff}{}") }
  }

  @Test(arguments: [
    [0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82],
  ])
  func refusesInvalidUTF8(bytes: [UInt8]) {
    let quote = UInt8(ascii: "\"")
    let plain: [UInt8] = [quote, 0x61] + bytes + [quote]
    #expect(throws: JSONError.invalidUTF8(offset: 2)) { try JSONScanner.parse(plain) }
    let escaped: [UInt8] = [quote, UInt8(ascii: "\\"), UInt8(ascii: "n")] + bytes + [quote]
    #expect(throws: JSONError.invalidUTF8(offset: 3)) { try JSONScanner.parse(escaped) }
  }

  @Test func refusesRawControlCharacters() {
    #expect(throws: JSONError.controlCharacter(offset: 2, byte: 0x0a)) { try parse("\"a\n\"") }
    #expect(throws: JSONError.controlCharacter(offset: 1, byte: 0)) { try parse("\"\0\"") }
  }

  @Test func refusesLongTexts() {
    #expect(throws: JSONError.textTooLong(bytes: 4, limit: 3)) {
      try JSONScanner.parse(Array("1234".utf8), limits: JSONLimits(bytes: 3))
    }
  }

  @Test func refusesEveryTruncation() throws {
    let text = Array(#"{"a":[1,2.5e-3,"\ud83d\ude00é",true],"b":{"c":null}}"#.utf8)
    _ = try JSONScanner.parse(text)
    for length in 0..<text.count {
      #expect(throws: JSONError.self) { try JSONScanner.parse(Array(text[..<length])) }
    }
  }

  // MARK: - Writing

  @Test func writesWhatItReads() throws {
    let text = #"{"b":1,"a":[{"x":"\u0001\n\"\\é😀"},[],{}],"c":1e+16}"#
    #expect(try parse(text).serialized() == text)
  }

  @Test func writesShortestDoubles() {
    #expect(JSONValue.array([0.1, 1e-6, 3]).serialized() == "[0.1,1e-06,3]")
  }

  @Test func writesPrettyText() {
    let value: JSONValue = ["a": [1, 2], "b": ["c": [["d": true]]], "e": [:]]
    #expect(
      value.serialized(pretty: true) == """
        {
          "a": [1, 2],
          "b": {
            "c": [
              {
                "d": true
              }
            ]
          },
          "e": {}
        }

        """
    )
  }

  @Test func editsObjectsInPlace() {
    var object = JSONObject()
    for number in 0..<20 { object["k\(number)"] = .number(JSONNumber(number)) }
    object["k3"] = "three"
    object["k4"] = nil
    #expect(object.count == 19)
    #expect(object["k3"]?.string == "three")
    #expect(object["k4"] == nil)
    #expect(object["k19"]?.int == 19)
    #expect(object.keys.prefix(5) == ["k0", "k1", "k2", "k3", "k5"])
  }

  @Test func escapesNamesForPrinting() {
    #expect("a\nb\u{1b}[31m\u{202e}é".printable() == #"a\u{a}b\u{1b}[31m\u{202e}é"#)
    #expect(String(repeating: "x", count: 1000).printable(limit: 3) == "xxx… (1000 bytes)")
  }

  // MARK: - Speed

  /// The shape of a large tokenizer file: a vocabulary object and a list of merge pairs.
  @Test func readsAVocabularyInLinearTime() throws {
    var text = "{\"vocab\":{"
    for number in 0..<260_000 {
      text += "\(number == 0 ? "" : ",")\n  \"▁piece\(number)\": \(number)"
    }
    text += "},\"merges\":["
    for number in 0..<500_000 { text += "\(number == 0 ? "" : ",")\n  [\"ab\(number)\",\"cd\"]" }
    text += "]}"
    let bytes = Array(text.utf8)
    let clock = ContinuousClock()
    var value = JSONValue.null
    let time = try clock.measure { value = try JSONScanner.parse(bytes) }
    #expect(value["vocab"]?.object?.count == 260_000)
    #expect(value["vocab"]?["▁piece259999"]?.int == 259_999)
    #expect(value["merges"]?.array?.count == 500_000)
    // A quadratic reader needs minutes; the factor leaves room for a busy machine.
    #expect(time < .seconds(15))
  }

  private func parse(_ text: String) throws(JSONError) -> JSONValue {
    try JSONScanner.parse(Array(text.utf8))
  }
}
