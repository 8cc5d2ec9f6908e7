// SPDX-License-Identifier: Apache-2.0
// Where results go: standard output that is lost, files that must not be touched.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct OutputTests {
  // MARK: - Standard output

  @Test(arguments: [
    ["--help"], ["--version"], ["convert", "--help"], ["inspect", Models.llama],
    ["run", Models.llama, "hi", "--max-tokens", "4"], ["tokenize", Models.llama, "hi"],
  ])
  func lostOutputIsAFailure(arguments: [String]) throws {
    for output in [Command.Output.closed, .file("/dev/full")] {
      let outcome = try Command(arguments: arguments, output: output).run()
      expectRefusal(outcome, 74, "standard output: cannot write")
    }
  }

  @Test func aReaderThatGoesAwayIsNoNews() throws {
    let outcome = try Command(
      program: "/bin/bash",
      arguments: [
        "-c", #""$0" inspect "$1" --tensors --json --verify | head -c 10; echo "${PIPESTATUS[0]}""#,
        "\(Fixtures.products)/sea", Models.gemma,
      ]
    ).run()
    #expect(outcome.errors.isEmpty)
    // The writer may have been done before the reader left.
    #expect(
      [#"{"schema":141"#, #"{"schema":0"#].contains { outcome.text == $0 + "\n" },
      "\(outcome)"
    )
    let endless = try Command(
      program: "/bin/bash",
      arguments: [
        "-c", #""$0" run "$1" hi --max-tokens 1900 | head -c 1; echo "${PIPESTATUS[0]}""#,
        "\(Fixtures.products)/sea", Models.gemma,
      ]
    ).run()
    #expect(endless.errors.isEmpty)
    #expect(endless.text.hasSuffix("141\n"), "\(endless)")
  }

  @Test func aClosedStandardErrorDisturbsNothing() throws {
    let outcome = try Command(
      program: "/bin/bash",
      arguments: [
        "-c", #"exec "$0" run "$1" hi --max-tokens 4 --verbose 2>&- <&-"#,
        "\(Fixtures.products)/sea", Models.llama,
      ]
    ).run()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(!outcome.output.isEmpty)
  }

  // MARK: - Output files

  @Test func outputsThatAreNoFilesAreRefused() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    mkfifo(folder / "pipe", 0o600)
    for (output, word) in [
      (folder.path, "folder"), (folder / "new/", "folder"), (folder / "pipe", "not a regular file"),
      ("/dev/null", "not a regular file"),
    ] {
      expectRefusal(try sea("convert", source, "-o", output, "--quiet"), 64, output, word)
      expectRefusal(try sea("quantize", Models.llama, "-o", output, "--quiet"), 64, output, word)
    }
    for output in [folder.path, folder / "pipe"] {
      expectRefusal(try sea("probe", Models.llama, "--ids", "1", "-o", output), 64, output)
    }
    expectRefusal(
      try sea("convert", source, "-o", folder / "no/m.sea", "--quiet"),
      66,
      "no",
      "no such"
    )
    expectRefusal(
      try sea("convert", source, "-o", folder / "m.sea", "--report", folder.path, "--quiet"),
      64,
      folder.path,
      "folder"
    )
    #expect(try folder.names == ["llama", "pipe"])
  }

  @Test(arguments: ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
  func anInputIsNeverOverwritten(name: String) throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    let before = try contents("\(source)/\(name)")
    link("\(source)/\(name)", folder / "hard")
    try FileManager.default.createSymbolicLink(
      atPath: folder / "soft",
      withDestinationPath: "\(source)/\(name)"
    )
    for output in [
      "\(source)/\(name)", folder / "hard", folder / "soft", "\(source)/../llama/\(name)",
    ] {
      for command in ["convert", "quantize"] {
        expectRefusal(try sea(command, source, "-o", output, "--quiet"), 64, "same file", name)
        expectRefusal(
          try sea(command, source, "-o", folder / "m.sea", "--report", output, "--quiet"),
          64,
          "same file",
          name
        )
      }
    }
    #expect(try contents("\(source)/\(name)") == before)
    #expect(try folder.names == ["hard", "llama", "soft"])
  }

  @Test func aModelFileIsNotItsOwnOutput() throws {
    let folder = try Folder()
    let model = try folder.write("m.sea", try contents(Models.llama))
    expectRefusal(try sea("quantize", model, "-o", model, "--quiet"), 64, "same file")
    expectRefusal(try sea("probe", model, "--ids", "1", "-o", model), 64, "same file")
    expectRefusal(
      try sea("quantize", model, "-o", folder / "n.sea", "--report", "\(folder.path)/./n.sea"),
      64,
      "--report and -o name the same file"
    )
    #expect(try contents(model) == contents(Models.llama))
    #expect(try folder.names == ["m.sea"])
  }

  @Test func anExistingFileIsReplacedAsAWhole() throws {
    let folder = try Folder()
    let output = try folder.write("m.sea", "what was here before")
    // A reader that holds the old file keeps it: the new one has another place on the disk.
    let old = try #require(FileHandle(forReadingAtPath: output))
    try seaSucceeds("quantize", Models.llama, "-o", output, "--quiet")
    #expect(try old.readToEnd() == Data("what was here before".utf8))
    try seaSucceeds("inspect", output, "--verify")
    #expect(try folder.names == ["m.sea"])
  }

  @Test func aFailureLeavesTheOldFile() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    var file = try TensorFile(path: "\(source)/model.safetensors")
    file["model.norm.weight"] = .float32(
      "model.norm.weight",
      [64],
      [.nan] + [Double](repeating: 1, count: 63)
    )
    try folder.write("llama/model.safetensors", file.bytes)
    let output = try folder.write("m.sea", "what was here before")
    let outcome = try sea("convert", source, "-o", output, "--quiet")
    expectRefusal(outcome, 65, "norm")
    #expect(try contents(output) == Array("what was here before".utf8))
    #expect(try folder.names == ["llama", "m.sea"])
  }

  @Test func interruptionEndsCleanly() throws {
    let outcome = try Command(
      program: "/bin/bash",
      arguments: [
        "-c",
        #"""
        "$0" run "$1" hi --max-tokens 1900 --isa scalar --threads 1 > /dev/null & pid=$!
        sleep 0.1; kill -TERM $pid; wait $pid; echo $?
        """#,
        "\(Fixtures.products)/sea", Models.gemma,
      ]
    ).run()
    // A fast machine may have been done.
    #expect(["143\n", "0\n"].contains(outcome.text), "\(outcome)")
  }
}
