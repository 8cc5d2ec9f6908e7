// SPDX-License-Identifier: Apache-2.0
// The demo model's way at toy size: from a world to scores, by the built commands, to the digit.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct FromNothingTests {
  /// One way from nothing to a model; what is not said here is a default.
  private struct Way {
    let folder: Folder
    let threads: Int

    func path(_ name: String) -> String { folder / name }

    @discardableResult
    private func run(_ arguments: [String]) throws -> Outcome {
      var command = Command(arguments: arguments + ["--quiet"])
      command.limit = 300
      let outcome = try command.run()
      #expect(outcome.status == 0, "\(arguments): \(outcome)")
      return outcome
    }

    /// On one level of instructions: the numbers stated below are its.
    @discardableResult
    private func compute(_ arguments: [String]) throws -> Outcome {
      try run(arguments + ["--isa", "avx2", "--threads", "\(threads)"])
    }

    private func train(_ kind: String, _ name: String, steps: Int, _ flags: [String]) throws {
      try compute(
        ["train", kind, "--out", path(name), "--steps", "\(steps)", "--seed", "1"] + flags
      )
    }

    func makeWorlds() throws {
      try run(["world", "--count", "96", "--seed", "1", "-o", path("train"), "--masks"])
      try run([
        "world", "--count", "16", "--seed", "2", "--split", "heldout", "-o", path("heldout"),
        "--masks",
      ])
    }

    func makeTokenizers() throws {
      let world = path("train")
      try run([
        "train", "tokenizer", "--kind", "clip", "--vocab", "700", "--max-length", "48",
        "--text", "\(world)/words.txt", "\(world)/captions.json", "--out", path("words-tokenizer"),
      ])
      try run([
        "train", "tokenizer", "--kind", "bpe", "--family", "llama", "--vocab", "600", "--text",
        "\(world)/text.jsonl", "\(world)/captions.json", "\(world)/conversations.json", "--out",
        path("language-tokenizer"),
      ])
    }

    func makeParts() throws {
      let world = path("train")
      try train(
        "contrastive",
        "encoder",
        steps: 6,
        [
          "--loss", "clip", "--image-size", "112", "--patch-size", "14", "--vision-hidden", "32",
          "--vision-layers", "2", "--vision-heads", "2", "--vision-intermediate", "64",
          "--text-hidden", "32", "--text-layers", "1", "--text-heads", "2", "--text-length", "48",
          "--projection", "32", "--batch", "16", "--lr", "3e-3", "--dense-weight", "2",
          "--tokenizer", path("words-tokenizer"), "--data", "\(world)/captions.json", "--images",
          "\(world)/images", "--masks", "\(world)/masks.jsonl", "--words", "\(world)/words.txt",
        ]
      )
      try train(
        "language",
        "language",
        steps: 6,
        [
          "--family", "llama", "--hidden", "32", "--layers", "2", "--heads", "2", "--kv-heads",
          "1", "--intermediate", "64", "--context", "640", "--tie", "--batch", "4", "--sequence",
          "160", "--lr", "3e-3", "--tokenizer", path("language-tokenizer"), "--text",
          "\(world)/text.jsonl",
        ]
      )
      try compute([
        "label", "--encoder", path("encoder/model"), "--words", "\(world)/words.txt", "--data",
        "\(world)/captions.json", "--images", "\(world)/images", "-o", path("train.labels"),
        "--feature", "raw", "--sign", "pos", "--top-n", "10",
      ])
    }

    func makeModel() throws {
      let world = path("train")
      let data = ["--images", "\(world)/images", "--batch", "8", "--accumulate", "1"]
      let parts = ["--llm", path("language/model"), "--vision", path("encoder/model")]
      let tuning = ["--method", "full", "--precision", "bf16", "--lr", "1e-3"]
      let questions = ["--data", "\(world)/conversations.json", "--select-layer", "-1"]
      try train(
        "pretrain",
        "stage1",
        steps: 4,
        parts + data + [
          "--adapter", "mlp2x_gelu", "--select-layer", "-1", "--sequences", "8", "--lr", "2e-3",
          "--data", "\(world)/captions.json", "--labels", path("train.labels"),
        ]
      )
      try train(
        "finetune",
        "stage2",
        steps: 4,
        parts + data + tuning + questions + [
          "--sequences", "4", "--adapter-init", path("stage1/mm_projector.safetensors"),
        ]
      )
      try train(
        "finetune",
        "open",
        steps: 2,
        data + tuning + questions + [
          "--sequences", "8", "--model", path("stage2/model"), "--vision-lr", "3e-4",
        ]
      )
      for weights in ["f32", "int8"] {
        try run(["convert", path("open/model"), "-o", path("\(weights).sea"), "--weights", weights])
      }
    }

    func ask() throws {
      try compute([
        "eval", "world", "--model", path("f32.sea"), "--data", path("heldout/questions.jsonl"),
        "--images", path("heldout/images"), "--limit", "24", "--output", path("answers.jsonl"),
      ])
    }

    /// The last recorded loss of a run.
    func loss(_ name: String) throws -> Double {
      let text = String(decoding: try contents(path("\(name)/metrics.jsonl")), as: UTF8.self)
      let line = try #require(text.split(separator: "\n").last)
      return try #require(try JSONScanner.parse(Array(line.utf8))["loss"]?.double)
    }
  }

  private func way(threads: Int) throws -> Way {
    let way = Way(folder: try Folder(), threads: threads)
    try way.makeWorlds()
    try way.makeTokenizers()
    try way.makeParts()
    try way.makeModel()
    try way.ask()
    return way
  }

  #if arch(x86_64)
  @Test func sameNumbersEveryTime() throws {
    let one = try way(threads: 1)
    for (name, stated) in [
      ("encoder", 11.87953), ("language", 6.057926), ("stage1", 10.905079),
      ("stage2", 6.165052), ("open", 6.139312),
    ] {
      let found = try one.loss(name)
      #expect(abs(found - stated) < 1e-4, "\(name): \(found)")
    }
    // Other threads, the same bits.
    let two = try way(threads: 2)
    for name in ["train.labels", "f32.sea", "int8.sea", "answers.jsonl"] {
      #expect(try contents(one.path(name)) == contents(two.path(name)), "\(name)")
    }
  }
  #endif
}
