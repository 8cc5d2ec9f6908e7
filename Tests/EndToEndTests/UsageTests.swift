// SPDX-License-Identifier: Apache-2.0
// Command lines that are wrong, and prompts that do not fit.

import TestSupport
import Testing

@Suite struct UsageTests {
  @Test(arguments: [
    ("--max-tokens", "0"), ("--max-tokens", "-1"), ("--max-tokens", "9223372036854775808"),
    ("--max-tokens", "many"), ("--temperature", "-1"), ("--temperature", "nan"),
    ("--temperature", "inf"), ("--top-p", "0"), ("--top-p", "2"), ("--top-p", "nan"),
    ("--top-k", "-5"), ("--min-p", "-0.1"), ("--min-p", "1.5"), ("--repeat-penalty", "0"),
    ("--repeat-penalty", "inf"), ("--seed", "-1"), ("--seed", "18446744073709551616"),
    ("--threads", "0"), ("--threads", "10000"), ("--context", "0"), ("--context", "-7"),
    ("--context", "99999999999"), ("--max-memory", "0"), ("--max-memory", "much"),
    ("--max-memory", "1e300GB"), ("--stop", ""), ("--kv", "f64"), ("--weights-in", "attic"),
  ])
  func aValueOutOfRangeIsRefusedInOneStyle(option: String, value: String) throws {
    let outcome = try sea("run", Models.llama, "hi", option, value)
    expectRefusal(outcome, 64, "the value '\(value)' is invalid for '\(option)", "expected ")
  }

  @Test func namesThatDoNotExistAreRefusedWithThoseThatDo() throws {
    expectRefusal(
      try sea("run", Models.llama, "hi", "--template", "nope"),
      64,
      "'nope'",
      "vicuna_v1"
    )
    expectRefusal(try sea("run", Models.llama, "hi", "--isa", "mmx"), 64, "'mmx'", "scalar")
    let outcome = try Command(
      arguments: ["run", Models.llama, "hi"],
      environment: ["SEA_ISA": "mmx"]
    ).run()
    expectRefusal(outcome, 64, "'mmx'", "scalar")
    expectRefusal(
      try sea("convert", Checkpoints.gemma, "-o", "/nowhere/x", "--template", "nope", "--quiet"),
      64,
      "'nope'",
      "vicuna_v1"
    )
  }

  @Test func commandLinesThatMakeNoSenseAreRefused() throws {
    expectRefusal(try sea("frobnicate"), 64, "'frobnicate'")
    expectRefusal(try sea("run"), 64, "missing")
    expectRefusal(try sea("run", Models.llama), 64, "missing a prompt or an image")
    expectRefusal(try sea("run", Models.llama, "hi", "--warp", "9"), 64, "'--warp'")
    expectRefusal(try sea("run", Models.llama, "-", "--image", "-"), 64, "once")
    expectRefusal(try sea("run", Models.llama, "hi", "--quiet", "--verbose"), 64, "--quiet")
    expectRefusal(try sea("probe", Models.llama, "-o", "x"), 64, "nothing to probe")
    expectRefusal(
      try sea("probe", Models.llama, "--ids", "1", "--prompt", "a", "-o", "x"),
      64,
      "one of"
    )
    expectRefusal(try sea("probe", Models.llama, "--ids", "1,x", "-o", "x"), 64, "'1,x'")
    expectRefusal(try sea("convert", Checkpoints.gemma), 64, "--output")
    expectRefusal(try sea("convert", Checkpoints.gemma, "-o", ""), 64, "''")
    expectRefusal(
      try sea("convert", Checkpoints.gemma, "-o", "x", "--weights", "f32", "--group", "32"),
      64,
      "--group"
    )
    expectRefusal(try sea("tokenize", Models.llama, "a", "--decode", "--chat"), 64, "--chat")
  }

  @Test func aNameThatStartsWithADashIsAName() throws {
    expectRefusal(try sea("inspect", "--", "-no-such-model"), 66, "-no-such-model: no such file")
    expectRefusal(try sea("inspect", ""), 66, "no such file")
    let name = String(repeating: "x", count: 4096)
    expectRefusal(try sea("inspect", name), 66, "xxx")
    let prompt = try sea("run", Models.llama, "--max-tokens", "4", "--", "--help")
    #expect(prompt.status == 0, "\(prompt)")
  }

  // MARK: - Prompts

  @Test func marksAndPicturesMustAgree() throws {
    let harbour = Picture.harbour
    expectRefusal(
      try sea("run", Models.gemma, "<image> and <image>", "--image", harbour),
      64,
      "2 image marks",
      "1 image"
    )
    expectRefusal(try sea("run", Models.gemma, "<image>"), 64, "1 image mark", "0 images")
    expectRefusal(
      try sea("run", Models.gemma, "<image>?", "--image", harbour, "--image", harbour),
      64,
      "1 image mark",
      "2 images"
    )
    expectRefusal(
      try sea("run", Models.llama, "hi", "--image", harbour),
      65,
      "has no vision encoder"
    )
    expectRefusal(
      try sea("probe", Models.gemma, "--ids", "2,-200", "-o", "/nowhere/x"),
      64,
      "1 image",
      "0"
    )
    expectRefusal(
      try sea("probe", Models.gemma, "--ids", "2,1024000", "-o", "/nowhere/x"),
      64,
      "1024000"
    )
  }

  @Test func aPromptBeyondTheContextIsRefusedWithTheNumbers() throws {
    expectRefusal(
      try sea("run", Models.gemma, "What is this?", "--image", Picture.harbour, "--context", "20"),
      64,
      "20 tokens and 1 × 16 image positions",
      "36 positions",
      "the context has 20"
    )
    let long = String(repeating: "word ", count: 20_000)
    expectRefusal(try sea("run", Models.llama, long), 64, "positions", "the context has")
  }

  @Test func aPlanBeyondTheLimitIsRefusedBeforeLoading() throws {
    expectRefusal(
      try sea("run", Models.gemma, "hi", "--max-memory", "1MB"),
      71,
      "memory plan",
      "1000000"
    )
  }

  @Test func aTemplateWithoutSystemTextSaysSo() throws {
    expectRefusal(
      try sea("run", Models.gemma, "hi", "--system", "Be brief."),
      64,
      "gemma_it",
      "system"
    )
  }
}
