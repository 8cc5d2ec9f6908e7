// SPDX-License-Identifier: Apache-2.0
// Model files that are not what they say, through the commands.

import Foundation
import Glibc
import SEAFormat
import TestSupport
import Testing

@Suite struct ModelFileTests {
  /// Every command that reads a model, on a path.
  static func expectRefused(
    _ path: String,
    _ status: Int32,
    _ words: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let commands = [
      ["inspect", path], ["run", path, "hi", "--max-tokens", "2"], ["tokenize", path, "hi"],
      ["probe", path, "--ids", "1", "-o", "/nowhere/probe"],
      ["quantize", path, "-o", "/nowhere/m.sea", "--quiet"],
    ]
    for arguments in commands {
      let outcome = try Command(arguments: arguments, limit: 10).run()
      expectRefusal(outcome, status, sourceLocation: sourceLocation)
      for word in words {
        #expect(outcome.errors.contains(word), "\(outcome)", sourceLocation: sourceLocation)
      }
    }
  }

  // MARK: - Not a file

  @Test func pathsThatAreNoFilesAreRefusedWithoutHanging() throws {
    let folder = try Folder()
    mkfifo(folder / "pipe", 0o600)
    for path in [folder / "pipe", "/dev/zero", folder.path] {
      for arguments in [["inspect", path], ["run", path, "hi"], ["tokenize", path, "hi"]] {
        let outcome = try Command(arguments: arguments, limit: 10).run()
        expectRefusal(outcome, 66, path, "not a regular file")
      }
      let outcome = try Command(arguments: ["probe", path, "--ids", "1", "-o", folder / "x"]).run()
      expectRefusal(outcome, 66, path, "not a regular file")
    }
    for path in [folder / "pipe", "/dev/zero"] {
      expectRefusal(try sea("quantize", path, "-o", folder / "m.sea"), 66, path)
      expectRefusal(try sea("convert", path, "-o", folder / "m.sea"), 66, path)
    }
    #expect(try folder.names == ["pipe"])
  }

  @Test func paralysedLinksAndLockedFilesAreRefused() throws {
    let folder = try Folder()
    try FileManager.default.createSymbolicLink(
      atPath: folder / "loop",
      withDestinationPath: folder / "loop"
    )
    try Self.expectRefused(folder / "loop", 66, ["loop"])
    try Self.expectRefused(folder / "absent", 66, ["absent: no such file"])
  }

  @Test(.enabled(if: getuid() != 0, "the superuser may read everything"))
  func filesWithoutPermissionAreRefused() throws {
    let folder = try Folder()
    let path = try folder.write("m.sea", try contents(Models.llama))
    chmod(path, 0)
    try Self.expectRefused(path, 77, ["m.sea", "permission"])
  }

  @Test(arguments: [0, 7, 8, 100, 4096, -1])
  func filesThatEndEarlyAreRefused(count: Int) throws {
    let folder = try Folder()
    let whole = try contents(Models.llama)
    let path = try folder.write("m.sea", Array(whole.prefix(count < 0 ? whole.count - 1 : count)))
    try Self.expectRefused(path, 65, ["m.sea"])
  }

  @Test(arguments: [UInt64.max, 1 << 63, 100_000_001, 16 << 20])
  func aHeaderOfImpossibleLengthTakesNoMemory(length: UInt64) throws {
    let folder = try Folder()
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
    let path = try folder.write("m.sea", bytes + Array(repeating: 0x20, count: 1000))
    // Address space for the program and no more.
    let outcome = try Command(
      program: "/bin/bash",
      arguments: [
        "-c", #"ulimit -v 1000000; exec "$0" inspect "$1""#, "\(Fixtures.products)/sea", path,
      ],
      limit: 10
    ).run()
    expectRefusal(outcome, 65, "m.sea")
  }

  // MARK: - Headers that lie

  /// One way to falsify a model file, and what the message must name.
  struct Lie: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let words: [String]
    let change: @Sendable (inout TensorFile) -> Void

    init(
      _ name: String,
      _ words: [String],
      _ change: @escaping @Sendable (inout TensorFile) -> Void
    ) {
      testDescription = name
      self.words = words
      self.change = change
    }

    static func describing(
      _ name: String,
      _ words: [String],
      _ keys: (String, String),
      _ value: JSONValue?
    ) -> Lie {
      Lie(name, words) { $0[json: "description"].set(keys.0, keys.1, to: value) }
    }
  }

  static let identity = [
    Lie("another format", ["format", "'tea'"]) { $0.metadata["format"] = "tea" },
    Lie("no format", ["format"]) { $0.metadata["format"] = nil },
    Lie("a newer version", ["sea 9.1.0", "sea 0.1.0", "99"]) {
      $0.metadata["format_version"] = "99"
      $0.metadata["made_by"] = "sea 9.1.0"
    },
    Lie("no version", ["format_version"]) { $0.metadata["format_version"] = nil },
    Lie("no description", ["description"]) { $0.metadata["description"] = nil },
    Lie("a description that is no JSON", ["description"]) { $0.metadata["description"] = "{" },
  ]

  static let contradictions = [
    Lie("a tensor less", ["llm.blk.1.attn.q.weight"]) { $0["llm.blk.1.attn.q.weight"] = nil },
    Lie("a tensor more", ["llm.extra"]) {
      $0.tensors.append(
        TensorFile.Tensor(
          name: "llm.extra",
          type: "F32",
          shape: [16],
          bytes: [UInt8](repeating: 0, count: 64)
        )
      )
    },
    Lie("another name", ["llm.blk.2.mlp.up.weight"]) {
      let index = $0.tensors.firstIndex { $0.name == "llm.blk.2.mlp.up.weight" } ?? 0
      $0.tensors[index].name = "llm.blk.9.mlp.up.weight"
    },
    Lie("another shape", ["llm.blk.0.mlp.up.weight"]) {
      $0["llm.blk.0.mlp.up.weight"]?.shape.reverse()
    },
    Lie("another type", ["llm.blk.0.attn.k.weight"]) {
      $0["llm.blk.0.attn.k.weight"]?.type = "I32"
    },
    Lie("another order", ["llm.blk.0.attn.q.weight"]) {
      let first = $0.tensors.firstIndex { $0.name == "llm.blk.0.attn.q.weight" } ?? 0
      $0.tensors.swapAt(first, first + 1)
    },
    Lie("a tokenizer beyond its end", ["tokenizer"]) {
      var tensor = $0["tokenizer.offsets"]
      tensor?.bytes.replaceSubrange(8..<12, with: [255, 255, 255, 127])
      $0["tokenizer.offsets"] = tensor
    },
    Lie("a tokenizer cut short", ["tokenizer"]) {
      guard var tensor = $0["tokenizer.pool"] else { return }
      tensor.bytes.removeLast(64)
      tensor.shape = [tensor.bytes.count]
      $0["tokenizer.pool"] = tensor
    },
    Lie("a padded shape beyond its tensor", ["tokenizer"]) {
      let name = $0[json: "padded_shapes"].keys.first { $0.hasPrefix("tokenizer") } ?? ""
      $0[json: "padded_shapes"].set(name, to: [1_000_000_000])
    },
  ]

  static let shapes: [Lie] = [
    .describing("a patch of nothing", ["patch_side"], ("vision", "patch_side"), 0),
    .describing("a picture of nothing", ["image_side"], ("vision", "image_side"), 0),
    .describing("a picture of 46340 squared", ["image_side"], ("vision", "image_side"), 46_340),
    .describing("a million blocks", ["blocks"], ("vision", "blocks"), 1_000_000),
    .describing("heads that do not divide", ["heads"], ("vision", "heads"), 7),
    .describing("no heads", ["heads"], ("vision", "heads"), 0),
    .describing("a negative width", ["hidden"], ("vision", "hidden"), -72),
    .describing("a fraction", ["hidden"], ("vision", "hidden"), 72.5),
    .describing("a text for a number", ["hidden"], ("vision", "hidden"), "72"),
    .describing("no number", ["epsilon"], ("vision", "epsilon"), "nan"),
    .describing("a negative epsilon", ["epsilon"], ("vision", "epsilon"), -1.0),
    .describing("a missing width", ["hidden"], ("vision", "hidden"), nil),
    .describing("an activation unknown", ["activation"], ("vision", "activation"), "exec"),
    .describing("2⁶² of vocabulary", ["vocab"], ("llm", "vocab"), 4_611_686_018_427_387_904),
    .describing("no blocks", ["blocks"], ("llm", "blocks"), 0),
    .describing("key heads that do not divide", ["kv_heads"], ("llm", "kv_heads"), 3),
    .describing("an odd head", ["head_dim"], ("llm", "head_dim"), 31),
    .describing("a negative window", ["sliding_window"], ("llm", "sliding_window"), -1),
    .describing("no base of rotation", ["rope_theta"], ("llm", "rope_theta"), 0.0),
    .describing("one width", ["adapter"], ("adapter", "widths"), [72]),
    .describing("widths that do not meet", ["adapter"], ("adapter", "widths"), [72, 72, 64]),
  ]

  @Test(arguments: identity + contradictions + shapes)
  func aLieIsNamed(lie: Lie) throws {
    let folder = try Folder()
    var file = try TensorFile(path: Models.gemma)
    lie.change(&file)
    let path = try folder.write("m.sea", file.bytes)
    try Self.expectRefused(path, 65, ["m.sea"] + lie.words)
  }

  @Test func takingAFileApartChangesNothing() throws {
    let folder = try Folder()
    let path = try folder.write("m.sea", try TensorFile(path: Models.gemma).bytes)
    try seaSucceeds("inspect", path)
  }

  // MARK: - Damage

  @Test func damageIsFoundWhenAskedFor() throws {
    let folder = try Folder()
    let whole = try contents(Models.gemma)
    for position in [whole.count - 1, whole.count / 2, whole.count / 3] {
      var bytes = whole
      bytes[position] ^= 0x10
      let path = try folder.write("m.sea", bytes)
      expectRefusal(try sea("inspect", path, "--verify"), 65, "m.sea", "tensor '", "checksum")
      expectRefusal(try sea("run", path, "hi", "--verify"), 65, "m.sea", "tensor '", "checksum")
      let outcome = try sea("run", path, "hi", "--max-tokens", "4")
      #expect([0, 65].contains(outcome.status), "\(outcome)")
    }
    try seaSucceeds("inspect", Models.gemma, "--verify")
    try seaSucceeds("run", Models.gemma, "hi", "--verify", "--max-tokens", "2")
  }

  /// The model is open and waits for its picture when the file is cut.
  @Test func aFileThatIsCutWhileInUseEndsTheRun() throws {
    let folder = try Folder()
    let path = try folder.write("m.sea", contents(Models.gemma))
    let script = """
      mkfifo "$3/in"
      "$0" run "$1" --image - --verbose hi <"$3/in" 2>"$3/err" &
      exec 3>"$3/in"
      until grep -q open: "$3/err"; do sleep 0.02; done
      truncate -s 4096 "$1"
      cat "$2" >&3
      exec 3>&-
      wait $!
      status=$?
      tail -n 1 "$3/err" >&2
      exit $status
      """
    let outcome = try Command(
      program: "/bin/sh",
      arguments: [
        "-c", script, "\(Fixtures.products)/sea", path, Picture.harbour, folder.path,
      ],
      environment: ["PATH": "/usr/bin:/bin"]
    ).run()
    #expect(outcome.status == 74, "\(outcome)")
    #expect(outcome.errors.contains("shrank"))
    #expect(outcome.text.isEmpty)
  }

  @Test func namesFromAFileCannotDriveTheTerminal() throws {
    let folder = try Folder()
    var file = try TensorFile(path: Models.gemma)
    file[json: "description"].set("name", to: "a\u{1b}[2Jb\nsea run: error: forged\u{202e}c")
    let path = try folder.write("m.sea", file.bytes)
    let outcome = try sea("inspect", path)
    #expect(outcome.status == 0)
    #expect(!outcome.text.unicodeScalars.contains { $0.value == 0x1b || $0.value == 0x202e })
    #expect(!outcome.text.contains("\nsea run"))
  }
}
