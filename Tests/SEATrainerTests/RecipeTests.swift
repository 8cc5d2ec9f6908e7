// SPDX-License-Identifier: Apache-2.0
// The recipes of Models/recipes: every flag is known to the command that the file names.

import Foundation
import TestSupport
import Testing

@Suite struct RecipeTests {
  private static let folder = Fixtures.repository + "/Models/recipes"

  /// The YAML files, by their paths below the folder of recipes.
  static let names: [String] = {
    let all = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
    return all.filter { $0.hasSuffix(".yaml") }.sorted()
  }()

  /// The published recipes; other folders have instructions of their own.
  static var published: [String] {
    names.filter { name in ["llava-1.5/", "sea/", "sea-prime/"].contains { name.hasPrefix($0) } }
  }

  @Test func thereAreRecipes() throws {
    #expect(Self.published.count == 13)
    let table = try String(contentsOfFile: Self.folder + "/README.md", encoding: .utf8)
    for name in Self.published { #expect(table.contains("`\(name)`"), "\(name)") }
  }

  @Test(arguments: RecipeTests.published)
  func everyFlagIsKnown(name: String) throws {
    let path = Self.folder + "/" + name
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let command = text.contains("sea train pretrain") ? "pretrain" : "finetune"
    let folder = try TemporaryFolder()
    let model = folder.path + "/no-model"
    var arguments = [
      "train", command, "--config", path, command == "pretrain" ? "--llm" : "--model", model,
      "--data", "x", "--out", folder.path + "/run",
    ]
    if text.contains("--labels") { arguments += ["--labels", "x"] }
    let result = try SeaTools.run(arguments, in: folder)
    // Flags are read, and then the model is looked for.
    #expect(result.status == 66 && result.errors.contains("no-model"), "\(result.errors)")
    let spoiled = folder.path + "/spoiled.yaml"
    try Data((text + "no-such-flag: 1\n").utf8).write(to: URL(fileURLWithPath: spoiled))
    arguments[3] = spoiled
    let refused = try SeaTools.run(arguments, in: folder)
    #expect(refused.status == 64 && refused.errors.contains("no-such-flag"), "\(refused.errors)")
  }
}
