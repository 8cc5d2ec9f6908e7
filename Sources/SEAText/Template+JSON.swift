// SPDX-License-Identifier: Apache-2.0
// Templates as JSON, the form in which a model file keeps its own.

package import SEAFormat

extension Template {
  private static var texts: [(key: String, path: WritableKeyPath<Template, String>)] {
    [
      ("name", \.name),
      ("opening", \.opening),
      ("system_prefix", \.systemPrefix),
      ("system_suffix", \.systemSuffix),
      ("user_prefix", \.userPrefix),
      ("user_suffix", \.userSuffix),
      ("answer_prefix", \.answerPrefix),
      ("answer_gap", \.answerGap),
      ("answer_suffix", \.answerSuffix),
      ("turn_separator", \.turnSeparator),
    ]
  }

  /// The template as JSON.
  package var json: JSONValue {
    var object = JSONObject()
    for text in Self.texts { object[text.key] = .string(self[keyPath: text.path]) }
    object["system"] = system.map { .string($0) } ?? .null
    object["takes_system"] = .bool(takesSystem)
    object["discards_user_text"] = .bool(discardsUserText)
    object["stop_texts"] = .array(stopTexts.map { .string($0) })
    object["stop_tokens"] = .array(stopTokens.map { .string($0) })
    return .object(object)
  }

  /// Reads a template.
  ///
  /// - Throws: `TextError.badSetting` naming the field.
  package init(json: JSONValue) throws(TextError) {
    self.init(name: "")
    for text in Self.texts {
      guard let value = json[text.key]?.string else {
        throw .badSetting(field: "template.\(text.key)", problem: "expected a string")
      }
      self[keyPath: text.path] = value
    }
    system = json["system"]?.string
    takesSystem = try Self.flag(json, "takes_system")
    discardsUserText = try Self.flag(json, "discards_user_text")
    stopTexts = try Self.strings(json, "stop_texts")
    stopTokens = try Self.strings(json, "stop_tokens")
  }

  private static func flag(_ json: JSONValue, _ key: String) throws(TextError) -> Bool {
    guard let value = json[key]?.bool else {
      throw .badSetting(field: "template.\(key)", problem: "expected a boolean")
    }
    return value
  }

  private static func strings(_ json: JSONValue, _ key: String) throws(TextError) -> [String] {
    guard let elements = json[key]?.array else {
      throw .badSetting(field: "template.\(key)", problem: "expected an array of strings")
    }
    var strings: [String] = []
    for element in elements {
      guard let string = element.string, !string.isEmpty else {
        throw .badSetting(field: "template.\(key)", problem: "expected texts that are not empty")
      }
      strings.append(string)
    }
    return strings
  }
}
