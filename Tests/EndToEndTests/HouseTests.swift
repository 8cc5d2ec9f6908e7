// SPDX-License-Identifier: Apache-2.0
// What a newcomer tries first: the README's commands, the list of jobs, the demo.

import TestSupport
import Testing

@Suite struct HouseTests {
  private static func text(_ name: String) throws -> String {
    String(decoding: try contents("\(Fixtures.repository)/\(name)"), as: UTF8.self)
  }

  /// The jobs that a text tells people to make.
  private static func jobs(in text: String) -> Set<String> {
    Set(text.matches(of: /(?:`|\$ )make ([a-z]+)/).map { String($0.1) })
  }

  @Test(arguments: ["README.md", "CONTRIBUTING.md", "Tests/README.md"])
  func everyJobThatADocumentNamesExists(document: String) throws {
    let makefile = try Self.text("Makefile")
    let jobs = try Self.jobs(in: Self.text(document))
    #expect(!jobs.isEmpty)
    for job in jobs {
      #expect(makefile.contains("\n\(job): "), "\(document) names 'make \(job)'")
    }
  }

  @Test func makeAloneListsTheJobs() throws {
    let outcome = try Command(
      program: "/usr/bin/env",
      arguments: ["make", "-s", "-C", Fixtures.repository]
    ).run()
    #expect(outcome.status == 0, "\(outcome)")
    for job in ["setup", "build", "test", "check", "format", "sanitize", "demo", "unsafe", "sizes"]
    {
      #expect(outcome.text.contains("make \(job) "), "\(outcome)")
    }
  }

  @Test(arguments: [
    "convert", "quantize", "export", "merge", "label", "train", "data", "world", "eval", "preset",
  ])
  func helpListsTheCommandsOfBothPrograms(command: String) throws {
    let help = try seaSucceeds("--help").text
    for own in ["run", "inspect", "tokenize", "probe", "bench"] {
      #expect(help.contains("\n  \(own) "))
    }
    #expect(help.contains("\n  \(command) "))
    let own = try seaSucceeds(command, "--help").text
    #expect(own.contains("USAGE: sea \(command) "))
    let helped = try seaSucceeds("help", command).text
    #expect(helped == own)
  }

  @Test func aModelThatWasNeverTrainedSaysSo() throws {
    let folder = try Folder()
    let file = folder / "m.sea"
    try seaSucceeds("convert", Checkpoints.gemma, "-o", file, "--training", "none: random weights")
    let outcome = try sea("run", file, "--max-tokens", "4", "hi")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.errors.contains("weights of this model are random"), "\(outcome)")
  }
}
