// SPDX-License-Identifier: Apache-2.0
// What the commands print: JSON, help, tokens, plain text without control characters.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct TextTests {
  /// The objects of a JSON output, one a line.
  static func objects(_ outcome: Outcome) throws -> [JSONObject] {
    #expect(outcome.status == 0, "\(outcome)")
    return try outcome.text.split(separator: "\n").map { line in
      try #require(try JSONScanner.parse(Array(line.utf8)).object)
    }
  }

  // MARK: - JSON

  @Test func everyResultIsJSONWithASchema() throws {
    let folder = try Folder()
    let commands: [(schema: String, arguments: [String])] = [
      ("sea.inspect/1", ["inspect", Models.gemma, "--verify"]),
      ("sea.tokenize/1", ["tokenize", Models.gemma, "hi <image>", "--chat"]),
      ("sea.detokenize/1", ["tokenize", Models.gemma, "900, 901", "--decode"]),
      ("sea.run/1", ["run", Models.gemma, "hi", "--image", Picture.harbour, "--max-tokens", "4"]),
      ("sea.probe/1", ["probe", Models.gemma, "--image", Picture.harbour, "-o", folder / "p"]),
      ("sea.convert/1", ["convert", Checkpoints.gemma, "-o", folder / "m.sea"]),
      ("sea.quantize/1", ["quantize", Models.gemma, "-o", folder / "n.sea"]),
    ]
    for (schema, arguments) in commands {
      let outcome = try Command(arguments: arguments + ["--json", "--quiet"]).run()
      let objects = try Self.objects(outcome)
      #expect(objects.last?["schema"]?.string == schema)
      #expect(objects.allSatisfy { $0.keys.first == "schema" })
      #expect(outcome.errors.isEmpty, "\(outcome)")
    }
  }

  @Test func inspectTellsWhatIsInTheFile() throws {
    let object = try #require(
      try Self.objects(try sea("inspect", Models.gemma, "--json", "--verify")).first
    )
    #expect(object["verified"] == true)
    #expect(object["parts"] == ["tokenizer", "vision", "adapter", "llm"])
    #expect(object["bytes"]?.int == (try contents(Models.gemma)).count)
    #expect(object["description"]?["llm"]?["vocab"]?.int == 1088)
    let tensors = try #require(object["tensors"]?.array)
    let file = try TensorFile(path: Models.gemma)
    #expect(tensors.map { $0["name"]?.string } == file.tensors.map(\.name))

    let text = try seaSucceeds("inspect", Models.gemma, "--tensors").text
    for word in ["siglip, 60 px", "gemma, 3 blocks × 72", "template     gemma_it", "sha256", "f32"]
    {
      #expect(text.contains(word), "\(word)")
    }
    for tensor in file.tensors { #expect(text.contains("tensor       \(tensor.name)  ")) }
  }

  // MARK: - Help

  @Test func helpListsTheCommandsOfBothExecutables() throws {
    let text = try seaSucceeds("--help").text
    for command in ["run", "inspect", "tokenize", "probe", "convert", "quantize"] {
      #expect(text.contains("\n  \(command) "), "\(command)")
    }
    #expect(text.contains("sea-tools"))
    #expect(try seaSucceeds("help").text == text)
    for command in ["run", "inspect", "tokenize", "probe", "convert", "quantize"] {
      let help = try seaSucceeds(command, "--help").text
      #expect(help.contains("USAGE: sea \(command) "), "\(help)")
      #expect(try seaSucceeds("help", command).text == help)
    }
    #expect(try seaSucceeds("--version").text == "\(ModelFile.toolVersion)\n")
  }

  // MARK: - Plain text

  @Test(arguments: [
    [:], ["NO_COLOR": "1"], ["TERM": "xterm-256color", "COLUMNS": "0"], ["LC_ALL": "tr_TR.UTF-8"],
  ])
  func nothingButTextIsPrinted(environment: [String: String]) throws {
    let folder = try Folder()
    for arguments in [
      ["--help"], ["inspect", Models.gemma, "--verify"], ["convert", "--help"],
      ["convert", Checkpoints.gemma, "-o", folder / "m.sea", "--verbose"],
      ["quantize", Models.gemma, "-o", folder / "n.sea", "--verbose"],
      ["run", Models.gemma, "hi", "--verbose", "--max-tokens", "4", "--json"], ["frobnicate"],
    ] {
      let outcome = try Command(arguments: arguments, environment: environment).run()
      let plain = (outcome.text + outcome.errors).unicodeScalars.allSatisfy {
        $0 == "\n" || $0.properties.generalCategory != .control
      }
      #expect(plain, "\(outcome)")
    }
  }

  @Test func theEnvironmentChangesNoResult() throws {
    let environments = [
      [:], ["LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"], ["TZ": "Asia/Kathmandu"],
      ["HOME": "", "TMPDIR": "/no/such/folder", "XDG_CACHE_HOME": "relative"],
    ]
    let outputs = try environments.map { environment in
      try Command(arguments: ["inspect", Models.gemma, "--json"], environment: environment).run()
        .output
    }
    #expect(outputs.allSatisfy { $0 == outputs[0] && !$0.isEmpty })
  }

  // MARK: - Tokens

  @Test func textBecomesTheReferencesTokens() throws {
    let wanted = try #require(try Checkpoints.reference("llama-tiny")["input_ids"]).ids
    let text = "The quick brown fox jumps over 13 lazy dogs.\nWhat is this?"
    let object = try #require(
      try Self.objects(try sea("tokenize", Models.llama, text, "--special", "--json")).first
    )
    #expect(object["ids"]?.array?.map(\.int) == wanted)
    #expect(object["positions"]?.int == wanted.count)
    let bare = try Self.objects(try sea("tokenize", Models.llama, text, "--json")).first
    #expect(bare?["ids"]?.array?.map(\.int) == Array(wanted.dropFirst()))
    let ids = wanted.dropFirst().map(String.init).joined(separator: " ")
    #expect(try seaSucceeds("tokenize", Models.llama, ids, "--decode").text == text + "\n")
  }

  @Test func aChatShowsThePlaceOfThePicture() throws {
    let wanted = try #require(try Checkpoints.reference("sea-gemma-tiny")["prompt_ids"]).ids
    let outcome = try sea("tokenize", Models.gemma, "<image>\nWhat is this?", "--chat", "--json")
    let object = try #require(try Self.objects(outcome).first)
    #expect(object["ids"]?.array?.map(\.int) == wanted)
    #expect(object["positions"]?.int == 36)
    #expect(object["images"]?.array?.map(\.int) == [wanted.firstIndex(of: -200)])
    let text = try seaSucceeds("tokenize", Models.gemma, "<image>\nWhat is this?", "--chat").text
    #expect(text.contains("-200  <image>  (16 positions)"))
  }

  @Test func specialTokensInATextAreOnlyText() throws {
    for (model, text) in [
      (Models.gemma, "<bos><eos><start_of_turn><end_of_turn><image>"),
      (Models.llama, "<s></s><unk>"),
    ] {
      let plain = try #require(try Self.objects(try sea("tokenize", model, text, "--json")).first)
      let special = try #require(
        try Self.objects(try sea("tokenize", model, text, "--special", "--no-template", "--json"))
          .first
      )
      let ids = try #require(plain["ids"]?.array).compactMap(\.int)
      #expect(ids.count > (try #require(special["ids"]?.array)).count)
      let back = try seaSucceeds(
        "tokenize",
        model,
        ids.map(String.init).joined(separator: ","),
        "--decode"
      )
      #expect(back.text == text + "\n")
    }
  }

  @Test func linesGoBothWays() throws {
    let folder = try Folder()
    let texts: [JSONValue] = ["hello", "", "two\nlines", "\u{0}\u{1b}", "é e\u{301} 日本 🙂"]
    let input = try folder.write("in", texts.map { $0.serialized() + "\n" }.joined())
    let encoded = try sea("tokenize", Models.gemma, "--lines", input: input)
    #expect(encoded.status == 0, "\(encoded)")
    let ids = try folder.write("ids", encoded.output)
    let decoded = try sea("tokenize", Models.gemma, "--decode", "--lines", input: ids)
    let back = try decoded.text.split(separator: "\n").map { try JSONScanner.parse(Array($0.utf8)) }
    #expect(back == texts)
    let bad = try folder.write("bad", "\"fine\"\n{}\n")
    let outcome = try sea("tokenize", Models.gemma, "--lines", input: bad)
    #expect(outcome.status == 65)
    #expect(outcome.messages.count == 1)
    #expect(outcome.errors.contains("line 2"))
  }
}
