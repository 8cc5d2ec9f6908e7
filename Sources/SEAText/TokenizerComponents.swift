// SPDX-License-Identifier: Apache-2.0
// The components `normalizer`, `pre_tokenizer` and `decoder` of a tokenizer file, read from JSON.

import SEAFormat

/// Reads components; a kind, option or pattern that is not implemented is refused by its name.
enum TokenizerComponents {
  // MARK: - Normalizers

  static func normalizers(_ value: JSONValue?) throws(TextError) -> [Normalizer] {
    guard let object = try member(value, component: "normalizer") else { return [] }
    let field = "normalizer"
    let name = try typeName(object, field: field)
    switch name {
    case "Sequence":
      return try flatten(object["normalizers"], field: field, normalizers)
    case "Prepend": return [.prepend(try bytes(object, "prepend", field: field))]
    case "Replace":
      let content = try bytes(object, "content", field: field)
      return [.replace(try pattern(object["pattern"], field: field), by: content)]
    case "NFC": return [.nfc]
    case "NFD": return [.nfd]
    case "Lowercase": return [.lowercase]
    case "Strip":
      return [
        .strip(
          left: try flag(object, "strip_left", default: true, field: field),
          right: try flag(object, "strip_right", default: true, field: field),
        )
      ]
    case "StripAccents": return [.stripAccents]
    case "Precompiled": return [.charsmap]
    default: throw .unsupported(component: field, name: name)
    }
  }

  // MARK: - Pre-tokenizers

  static func preTokenizers(_ value: JSONValue?) throws(TextError) -> [PreTokenizer] {
    let field = "pre_tokenizer"
    guard let object = try member(value, component: field) else { return [] }
    let name = try typeName(object, field: field)
    switch name {
    case "Sequence":
      return try flatten(object["pretokenizers"], field: field, preTokenizers)
    case "Split":
      let text = try string(object, "behavior", field: field)
      guard let behavior = SplitBehavior(rawValue: text) else {
        throw .unsupported(component: "split behavior", name: text)
      }
      return [
        .split(
          try pattern(object["pattern"], field: field),
          behavior,
          isInverted: try flag(object, "invert", default: false, field: field),
        )
      ]
    case "ByteLevel":
      return [
        .byteLevel(
          addsBlank: try flag(object, "add_prefix_space", default: true, field: field),
          usesPattern: try flag(object, "use_regex", default: true, field: field),
        )
      ]
    case "Metaspace":
      return [
        .metaspace(
          mark: try mark(object, field: field),
          try prependScheme(object, field: field),
          splits: try flag(object, "split", default: true, field: field),
        )
      ]
    case "Digits":
      return [
        .digits(
          isIndividual: try flag(object, "individual_digits", default: false, field: field)
        )
      ]
    case "Whitespace":
      return [.split(.wordsAndSigns, .removed, isInverted: true)]
    case "WhitespaceSplit": return [.whitespaceSplit]
    default: throw .unsupported(component: field, name: name)
    }
  }

  // MARK: - Decoders

  static func decoders(_ value: JSONValue?) throws(TextError) -> [DecoderStep] {
    let field = "decoder"
    guard let object = try member(value, component: field) else { return [] }
    let name = try typeName(object, field: field)
    switch name {
    case "Sequence": return try flatten(object["decoders"], field: field, decoders)
    case "Replace":
      let content = try bytes(object, "content", field: field)
      return [.replace(try pattern(object["pattern"], field: field), by: content)]
    case "ByteFallback": return [.byteFallback]
    case "Fuse": return [.fuse]
    case "Strip":
      return [
        .strip(
          try bytes(object, "content", field: field),
          start: try count(object, "start", field: field),
          stop: try count(object, "stop", field: field),
        )
      ]
    case "ByteLevel": return [.byteLevel]
    case "Metaspace":
      let scheme = try prependScheme(object, field: field)
      return [.metaspace(mark: try mark(object, field: field), dropsFirst: scheme != .never)]
    case "BPEDecoder": return [.wordEnds(try bytes(object, "suffix", field: field))]
    default: throw .unsupported(component: field, name: name)
    }
  }

  // MARK: - Fields

  private static func member(
    _ value: JSONValue?,
    component: String
  ) throws(TextError) -> JSONObject? {
    guard let value, !value.isNull else { return nil }
    guard let object = value.object else {
      throw .badSetting(field: component, problem: "expected an object, found \(value.kind)")
    }
    return object
  }

  private static func flatten<Step>(
    _ value: JSONValue?,
    field: String,
    _ read: (JSONValue?) throws(TextError) -> [Step]
  ) throws(TextError) -> [Step] {
    guard let elements = value?.array else {
      throw .badSetting(field: field, problem: "a sequence needs an array of steps")
    }
    var steps: [Step] = []
    for element in elements { steps += try read(element) }
    return steps
  }

  private static func typeName(_ object: JSONObject, field: String) throws(TextError) -> String {
    try string(object, "type", field: field)
  }

  private static func string(
    _ object: JSONObject,
    _ key: String,
    field: String
  ) throws(TextError) -> String {
    guard let value = object[key]?.string else {
      throw .badSetting(field: "\(field).\(key)", problem: "expected a string")
    }
    return value
  }

  private static func bytes(
    _ object: JSONObject,
    _ key: String,
    field: String
  ) throws(TextError) -> [UInt8] {
    Array(try string(object, key, field: field).utf8)
  }

  private static func flag(
    _ object: JSONObject,
    _ key: String,
    default missing: Bool,
    field: String
  ) throws(TextError) -> Bool {
    guard let value = object[key] else { return missing }
    guard let flag = value.bool else {
      throw .badSetting(
        field: "\(field).\(key)",
        problem: "expected a boolean, found \(value.kind)"
      )
    }
    return flag
  }

  private static func count(
    _ object: JSONObject,
    _ key: String,
    field: String
  ) throws(TextError) -> Int {
    guard let value = object[key]?.int, (0...1024).contains(value) else {
      throw .badSetting(field: "\(field).\(key)", problem: "expected an integer from 0 to 1024")
    }
    return value
  }

  private static func mark(_ object: JSONObject, field: String) throws(TextError) -> [UInt8] {
    let text = try string(object, "replacement", field: field)
    guard text.unicodeScalars.count == 1 else {
      throw .badSetting(field: "\(field).replacement", problem: "expected one character")
    }
    return Array(text.utf8)
  }

  /// The scheme, which files of before 2024 write as `add_prefix_space`.
  private static func prependScheme(
    _ object: JSONObject,
    field: String
  ) throws(TextError) -> PrependScheme {
    guard object["prepend_scheme"] != nil else {
      return try flag(object, "add_prefix_space", default: true, field: field) ? .always : .never
    }
    let text = try string(object, "prepend_scheme", field: field)
    guard let scheme = PrependScheme(rawValue: text) else {
      throw .unsupported(component: "prepend scheme", name: text)
    }
    return scheme
  }

  private static func pattern(_ value: JSONValue?, field: String) throws(TextError) -> TextPattern {
    if let literal = value?["String"]?.string { return .literal(Array(literal.utf8)) }
    guard let regex = value?["Regex"]?.string else {
      throw .badSetting(field: "\(field).pattern", problem: "expected a String or a Regex")
    }
    guard let pattern = TextPattern(regex: regex) else {
      throw .unsupported(component: "regular expression", name: regex)
    }
    return pattern
  }
}
