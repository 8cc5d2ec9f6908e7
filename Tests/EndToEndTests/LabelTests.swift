// SPDX-License-Identifier: Apache-2.0
// `sea label` from end to end: whole runs, runs that are killed, shards, looks inside, refusals.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.serialized) struct LabelTests {
  /// Pictures, data, words and a cache.
  private struct World {
    let folder: Folder
    let arguments: [String]

    init(images: Int) throws {
      folder = try Folder()
      let names = [
        "bilevel_33x50.png", "gray_150x100.jpg", "gray_97x131.png", "lossy_61x47.webp",
        "rgb16_64x75.png",
      ]
      var records: [String] = []
      let root = try folder.copy([], into: "images")
      for index in 0..<images {
        let source = names[index % names.count]
        try FileManager.default.copyItem(
          atPath: Fixtures.path("SEAImageTests", source),
          toPath: "\(root)/\(index)-\(source)"
        )
        records.append(
          #"{"id":"i\#(index)","image":"\#(index)-\#(source)","conversations":["#
            + #"{"from":"human","value":"<image>"},{"from":"gpt","value":"a thing"}]}"#
        )
      }
      let data = try folder.write("data.json", "[\n\(records.joined(separator: ",\n"))\n]\n")
      let words = try folder.write(
        "words.txt",
        (0..<500).map { "word\($0) thing\($0 % 7)\r\n" }.joined()
      )
      arguments = [
        "label", "--encoder", Fixtures.path("SEARuntimeTests", "clip-tiny"), "--words", words,
        "--data", data, "--images", root, "--cache", folder / "cache", "--weights", "f32",
      ]
    }

    func run(_ output: String, _ more: String...) throws -> Outcome {
      try Command(arguments: arguments + ["-o", folder / output] + more).run()
    }
  }

  @Test func labelsAreMadeShownAndCounted() throws {
    let world = try World(images: 12)
    let outcome = try world.run("a.labels", "--json")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.text.hasPrefix(#"{"schema":"sea.label/1","#))
    #expect(outcome.text.contains(#""share_dropped":"#))
    let file = world.folder / "a.labels"
    let header = try seaSucceeds("label", "show", file).text
    for field in ["sign: neg", "top_n: 10", "grid: [4,4]", "records: 12", "keys: 24"] {
      #expect(header.contains(field), "\(header)")
    }
    let picture = try seaSucceeds("label", "show", file, "--image", "i3").text
    #expect(picture.hasPrefix("0,0: "))
    #expect(picture.split(separator: "\n").count == 16)
    #expect(try seaSucceeds("label", "show", file, "--image", "3-lossy_61x47.webp").text == picture)
    let json = try seaSucceeds("label", "show", file, "--image", "i3", "--json").text
    #expect(json.contains(#""schema":"sea.label.image/1""#) && json.contains(#""score":"#))
    let statistics = try seaSucceeds("label", "stats", file, "--svg", world.folder / "s.svg").text
    #expect(statistics.contains("pictures          12"))
    #expect(String(decoding: try contents(world.folder / "s.svg"), as: UTF8.self).hasPrefix("<svg"))
    try seaSucceeds("label", "stats", file, "--png", world.folder / "s.png")
    #expect(try contents(world.folder / "s.png").starts(with: [0x89, 0x50, 0x4e, 0x47]))
    expectRefusal(try sea("label", "stats", file, "--png", file), 64, "--png")
    let counted = try seaSucceeds("label", "stats", file, "--json").text
    #expect(counted.contains(#""schema":"sea.label.stats/1""#))
    expectRefusal(try sea("label", "show", file, "--image", "nobody"), 66, "nobody")
  }

  @Test func aRunThatIsKilledAgainAndAgainEndsWithTheSameBytes() throws {
    let world = try World(images: 300)
    #expect(try world.run("whole.labels").status == 0)
    var random = SeededRandom(seed: 91)
    var kills = 0
    for _ in 0..<60 {
      let delay = UInt32.random(in: 20_000...250_000, using: &random)
      let script = #"""
        "$@" 2>/dev/null >/dev/null & pid=$!; sleep "$DELAY"; kill -9 $pid 2>/dev/null; wait $pid
        """#
      let outcome = try Command(
        program: "/bin/bash",
        arguments: ["-c", script, "bash", "\(Fixtures.products)/sea"] + world.arguments + [
          "-o", world.folder / "killed.labels", "--resume", "--threads", "1",
        ],
        environment: ["DELAY": "0.\(String(1_000_000 + delay).dropFirst())"]
      ).run()
      guard outcome.status != 0 else { break }
      #expect(outcome.status == 137, "\(outcome)")
      kills += 1
    }
    #expect(kills > 0)
    #expect(try world.run("killed.labels", "--resume").status == 0)
    #expect(
      try contents(world.folder / "killed.labels") == contents(world.folder / "whole.labels")
    )
    #expect(try !world.folder.names.contains("killed.labels.work"))
  }

  @Test func anInterruptedRunKeepsItsWork() throws {
    let world = try World(images: 600)
    let script = #"""
      "$@" >/dev/null & pid=$!
      for i in $(seq 2000); do [ -e "$WORK/run.json" ] && break; sleep 0.005; done
      kill -INT $pid; wait $pid
      """#
    let work = world.folder / "a.labels.work"
    let outcome = try Command(
      program: "/bin/bash",
      arguments: ["-c", script, "bash", "\(Fixtures.products)/sea"] + world.arguments + [
        "-o", world.folder / "a.labels", "--threads", "1",
      ],
      environment: ["WORK": work]
    ).run()
    #expect(outcome.status == 130, "\(outcome)")
    #expect(try world.folder.names.contains("a.labels.work"))
    #expect(try !world.folder.names.contains("a.labels"))
    expectRefusal(try world.run("a.labels"), 64, "--resume")
    expectRefusal(try world.run("a.labels", "--resume", "--top-n", "3"), 64, "top_n")
    #expect(try world.run("a.labels", "--resume").status == 0)
  }

  @Test func surgeryOfFeaturesStandsInTheHeader() throws {
    let world = try World(images: 3)
    #expect(try world.run("a.labels", "--feature", "surgery").status == 0)
    let outcome = try world.run("b.labels", "--feature", "surgery", "--feature-surgery", "--json")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(!outcome.text.contains("share_of_words_below_zero"))
    let header = try seaSucceeds("label", "show", world.folder / "b.labels").text
    #expect(header.contains(#""removes_redundancy":true"#) && header.contains("sign: pos"))
    let plain = try seaSucceeds("label", "show", world.folder / "a.labels", "--image", "i0").text
    let other = try seaSucceeds("label", "show", world.folder / "b.labels", "--image", "i0").text
    #expect(plain != other)
    expectRefusal(
      try world.run("b.labels", "--feature", "surgery", "--resume"),
      64,
      "feature"
    )
  }

  @Test func shardsMergeToOneFile() throws {
    let world = try World(images: 11)
    #expect(try world.run("whole.labels", "--presample", "2", "--seed", "5").status == 0)
    for part in 1...3 {
      let outcome = try world.run(
        "part\(part).labels",
        "--presample",
        "2",
        "--seed",
        "5",
        "--shard",
        "\(part)/3"
      )
      #expect(outcome.status == 0, "\(outcome)")
    }
    try seaSucceeds(
      "label",
      "merge",
      world.folder / "part2.labels",
      world.folder / "part3.labels",
      world.folder / "part1.labels",
      "-o",
      world.folder / "merged.labels"
    )
    #expect(
      try contents(world.folder / "merged.labels") == contents(world.folder / "whole.labels")
    )
    let shown = try seaSucceeds("label", "show", world.folder / "merged.labels", "--image", "i0")
    #expect(!shown.text.isEmpty)
  }

  @Test func wrongInputsAreRefused() throws {
    let world = try World(images: 3)
    func run(_ replaced: String, by value: String, _ more: String...) throws -> Outcome {
      var arguments = world.arguments
      let place = try #require(arguments.firstIndex(of: replaced))
      arguments[place + 1] = value
      return try Command(arguments: arguments + ["-o", world.folder / "a.labels"] + more).run()
    }
    let empty = try world.folder.write("empty.txt", "\n\n")
    expectRefusal(try run("--words", by: empty), 64, "holds no words")
    let zero = try world.folder.write("zero.txt", "cat\nd\0g\n")
    expectRefusal(try run("--words", by: zero), 65, "line 2")
    expectRefusal(try run("--words", by: world.folder / "absent"), 66, "no such file")
    expectRefusal(
      try run("--encoder", by: Fixtures.path("SEARuntimeTests", "llama-tiny")),
      65,
      "vision encoder"
    )
    expectRefusal(try run("--encoder", by: world.folder / "absent"), 66)
    let outside = try world.folder.write(
      "outside.jsonl",
      #"{"id":"1","image":"../words.txt","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
    )
    expectRefusal(try run("--data", by: outside), 65)
    try world.folder.write("images/1-gray_150x100.jpg", "not a picture")
    expectRefusal(try world.run("a.labels"), 65, "1-gray_150x100.jpg")
    let skipped = try world.run("a.labels", "--skip-bad", "--resume")
    #expect(skipped.status == 0 && skipped.errors.contains("gets no labels"), "\(skipped)")
    expectRefusal(try world.run("a.labels", "--shard", "3/2"), 64)
    expectRefusal(try world.run("a.labels", "--seed", "3"), 64, "--presample")
    expectRefusal(try world.run("a.labels", "--drop-ffn"), 64, "maskclip")
    expectRefusal(try world.run("a.labels", "--feature", "map_value"), 65, "map_value")
    expectRefusal(try world.run("a.labels", "--feature-surgery"), 64, "--feature surgery")
    expectRefusal(
      try Command(arguments: world.arguments + ["-o", world.folder.path]).run(),
      64,
      "a folder"
    )
    let damaged = try world.folder.write(
      "cut.labels",
      Array(try contents(world.folder / "a.labels").dropLast(9))
    )
    expectRefusal(try sea("label", "show", damaged), 65, "incomplete")
    expectRefusal(try sea("label", "stats", world.folder / "words.txt"), 65, "not a label file")
  }
}
