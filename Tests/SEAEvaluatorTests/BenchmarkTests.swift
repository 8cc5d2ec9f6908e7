// SPDX-License-Identifier: Apache-2.0
// Hand-made files of every benchmark get the scores that the published rules give them.

import Foundation
import SEAEvaluator
import SEAFormat
import TestSupport
import Testing

/// A benchmark's folder, made by hand.
struct Bench {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func write(_ name: String, _ text: String) throws {
    try folder.write(text, to: "data/" + name)
  }

  /// Answers as lines; the prompt is left out where it is nil.
  func answers(_ answers: [(id: String, prompt: String?, text: String)]) throws -> [AnswerRecord] {
    let lines = answers.map { answer -> String in
      var object = JSONObject([
        (key: "question_id", value: .string(answer.id)), (key: "text", value: .string(answer.text)),
      ])
      if let prompt = answer.prompt { object["prompt"] = .string(prompt) }
      return JSONValue.object(object).serialized() + "\n"
    }
    return try AnswerRecord.read(path: folder.write(lines.joined(), to: "answers.jsonl"))
  }

  func open(_ task: BenchmarkTask, limit: Int? = nil) throws -> any Benchmark {
    try task.open(BenchmarkFiles(data: folder.file("data")), limit: limit)
  }

  func score(
    _ task: BenchmarkTask,
    _ answers: [(id: String, prompt: String?, text: String)]
  ) throws -> Evaluation {
    try #require(try open(task).score(self.answers(answers), path: "answers"))
  }
}

@Suite struct BenchmarkTests {
  private let short = "\\nAnswer the question using a single word or phrase."

  private func near(_ value: Double?, _ expected: Double) -> Bool {
    value.map { abs($0 - expected) < 1e-9 } ?? false
  }

  // MARK: - POPE

  private func pope() throws -> Bench {
    let bench = try Bench()
    var questions = ""
    var id = 0
    for category in ["random", "popular", "adversarial"] {
      var labels: [String] = []
      for (thing, label) in [("dog", "yes"), ("cat", "no"), ("car", "yes"), ("cup", "no")] {
        let text = "Is there a \(thing) in the image?"
        labels.append(
          #"{"question_id": 1, "image": "a.jpg", "text": "\#(text)", "label": "\#(label)"}"#
        )
        questions +=
          #"{"question_id": \#(id), "image": "a.jpg", "text": "\#(text)\#(short)", "#
          + #""category": "\#(category)"}"# + "\n"
        id += 1
      }
      // Labels in another order than the questions: they are paired by what they are about.
      try bench.write(
        "coco/coco_pope_\(category).json",
        labels.reversed().joined(separator: "\n") + "\n"
      )
    }
    try bench.write("llava_pope_test.jsonl", questions)
    return bench
  }

  @Test func popeCountsWhatItsScriptCounts() throws {
    let bench = try pope()
    let random = ["Yes", "No, there is not.", "Nope", "yes"]
    let rest = ["yes", "no", "yes", "no"]
    let texts = random + rest + rest
    let evaluation = try bench.score(.pope, texts.enumerated().map { (String($0), nil, $1) })
    // dog: hit; cat: hit; car: "Nope" is yes upstream, hit; cup: "yes" is wrong.
    #expect(near(evaluation["accuracy random"]?.value, 0.75))
    #expect(near(evaluation["precision random"]?.value, 2.0 / 3))
    #expect(near(evaluation["recall random"]?.value, 1))
    #expect(near(evaluation["F1 random"]?.value, 0.8))
    #expect(near(evaluation["yes ratio random"]?.value, 0.75))
    #expect(near(evaluation["F1 popular"]?.value, 1))
    #expect(near(evaluation["mean F1"]?.value, (0.8 + 1 + 1) / 3))
    #expect(evaluation.metrics.first?.name == "mean F1")
    #expect(evaluation.missing == 0)
  }

  @Test(arguments: [
    ("No, there is not.", false), ("There is no dog", false), ("Nope", true), ("Yes.", true),
    ("no.", false), ("Yes. There is no cat", true), ("NO", true), ("I do not know", false),
    ("nothing", true), ("not,", false), ("Yes,no", true), ("no\ndog", true), ("", true),
  ])
  func popeReadsAnswersAsItsScriptDoes(_ text: String, _ saysYes: Bool) throws {
    let bench = try pope()
    let texts = [text] + Array(repeating: "no", count: 11)
    let evaluation = try bench.score(.pope, texts.enumerated().map { (String($0), nil, $1) })
    #expect(evaluation.items[0].score == (saysYes ? 1 : 0))
  }

  @Test func popeCountsMissingAnswersAsWrong() throws {
    let evaluation = try pope().score(.pope, [("0", nil, "yes"), ("1", nil, "no")])
    #expect(evaluation.missing == 10)
    #expect(near(evaluation["accuracy"]?.value, 2.0 / 12))
  }

  @Test func popeRefusesQuestionsWithoutALabel() throws {
    let bench = try pope()
    try bench.write("coco/coco_pope_random.json", "")
    #expect(throws: EvaluatorError.self) { try bench.open(.pope) }
  }

  // MARK: - GQA

  @Test func gqaComparesLowerCaseWithoutPeriodsAtTheEnd() throws {
    let bench = try Bench()
    let answers = ["yes", "dining table", "red", "left", "blue"]
    try bench.write(
      "llava_gqa_testdev_balanced.jsonl",
      (0..<5).map { #"{"question_id": "\#($0)", "image": "a.jpg", "text": "?\#(short)"}"# + "\n" }
        .joined()
    )
    let entries = answers.enumerated().map { index, answer in
      #""\#(index)": {"answer": "\#(answer)", "isBalanced": \#(index != 4)}"#
    }
    try bench.write("testdev_balanced_questions.json", "{" + entries.joined(separator: ",") + "}")
    let evaluation = try bench.score(
      .gqa,
      [("0", nil, "Yes..."), ("1", nil, "Dining Table."), ("2", nil, " red"), ("3", nil, "left. ")]
    )
    // Space is not stripped; the fifth question is not balanced.
    #expect(evaluation.items.map(\.score) == [1, 1, 0, 0])
    #expect(near(evaluation["accuracy"]?.value, 0.5))
    #expect(near(evaluation["accuracy binary"]?.value, 1))
    let submission = try bench.open(.gqa).submission(
      bench.answers([("7", nil, "The Cat.")]),
      path: "answers"
    )
    #expect(submission == .text(#"[{"questionId":"7","prediction":"the cat"}]"#))
  }

  // MARK: - TextVQA

  @Test func textVQAFindsQuestionsInPrompts() throws {
    let bench = try Bench()
    let suffix = "\nAnswer the question using a single word or phrase."
    let prompts = [
      "what Brand is this?\nReference OCR token: NOKIA\(suffix)",
      "Reference OCR token: 12\nwhat time is it?\(suffix)",
      "what brand is this?\(suffix)",
    ]
    let ids = ["p1", "p1", "p2"]
    let lines = zip(ids, prompts).map { id, prompt -> String in
      let line: JSONValue = [
        "question_id": .string(id), "image": "a.jpg", "text": .string(prompt),
      ]
      return line.serialized() + "\n"
    }
    try bench.write("llava_textvqa_val_v051_ocr.jsonl", lines.joined())
    func record(_ id: String, _ question: String, _ answers: [String]) -> String {
      let value: JSONValue = [
        "image_id": .string(id), "question": .string(question),
        "answers": .array(answers.map { .string($0) }),
      ]
      return value.serialized()
    }
    let people =
      [
        "nokia", "nokia", "nokia", "Nokia.", "samsung", "samsung", "a phone", "phone", "lg",
        "the lg",
      ]
    let data = [
      record("p1", "What brand is this?", people),
      record("p1", "What time is it?", [String](repeating: "12", count: 10)),
      record("p2", "What brand is this?", people),
    ]
    try bench.write("TextVQA_0.5.1_val.json", "{\"data\": [\(data.joined(separator: ","))]}")
    let evaluation = try bench.score(
      .textvqa,
      zip(zip(ids, prompts), ["Nokia", "Twelve", "the phone"]).map { ($0.0, $0.1, $1) }
    )
    #expect(zip(evaluation.items, [1, 0, 0.6]).allSatisfy { abs($0.score - $1) < 1e-12 })
    #expect(near(evaluation["accuracy"]?.value, 1.6 / 3))
    #expect(evaluation["accuracy"]?.interval?.method == "bootstrap")
    #expect(throws: EvaluatorError.self) {
      try bench.score(.textvqa, [("p1", "one line", "x")])
    }
    #expect(throws: EvaluatorError.self) {
      try bench.score(.textvqa, [("p9", "what brand is this?\(suffix)", "x")])
    }
  }

  // MARK: - VQAv2 and VizWiz

  @Test func vqaUsesTheConditionalFormAndSubmitsEveryQuestion() throws {
    let bench = try Bench()
    try bench.write(
      "llava_vqav2_mscoco_val2014.jsonl",
      (1...3).map { #"{"question_id": \#($0), "image": "a.jpg", "text": "?\#(short)"}"# + "\n" }
        .joined()
    )
    func annotation(_ id: Int, _ answers: [String]) -> String {
      let list = answers.map { #"{"answer": "\#($0)"}"# }.joined(separator: ",")
      return #"{"question_id": \#(id), "answer_type": "other", "answers": [\#(list)]}"#
    }
    let alike = [String](repeating: "yes", count: 10)
    let annotations = [
      annotation(1, alike), annotation(2, ["two", "2", "two dogs"] + alike.prefix(7)),
      annotation(3, alike),
    ]
    try bench.write(
      "v2_mscoco_val2014_annotations.json",
      "{\"annotations\": [\(annotations.joined(separator: ","))]}"
    )
    let evaluation = try bench.score(
      .vqav2,
      [("1", nil, "Yes"), ("2", nil, "Two."), ("3", nil, "yes")]
    )
    // To the letter where all agree; "two" and "2" are one where they do not: 2 of 10 give 0.6.
    #expect(zip(evaluation.items, [0, 0.6, 1]).allSatisfy { abs($0.score - $1) < 1e-12 })
    #expect(near(evaluation["accuracy as submitted"]?.value, 2.6 / 3))
    try bench.write(
      "llava_vqav2_mscoco_test2015.jsonl",
      [4, 1].map { #"{"question_id": \#($0), "image": "a.jpg", "text": "?"}"# + "\n" }.joined()
    )
    let submission = try bench.open(.vqav2).submission(
      bench.answers([("1", nil, "The Two  dogs")]),
      path: "answers"
    )
    #expect(
      submission
        == .text(#"[{"question_id":4,"answer":""},{"question_id":1,"answer":"2 dogs"}]"#)
    )
  }

  @Test func vizWizNeedsOnlyItsValidationFile() throws {
    let bench = try Bench()
    let people =
      [String](repeating: #"{"answer": "unanswerable"}"#, count: 6)
      + [String](repeating: #"{"answer": "unsuitable"}"#, count: 4)
    try bench.write(
      "val.json",
      #"[{"image": "a.jpg", "question": "What is this?", "answers": [\#(people.joined(separator: ","))], "#
        + #""answer_type": "unanswerable", "answerable": 0}]"#
    )
    let benchmark = try bench.open(.vizwiz)
    #expect(
      benchmark.questions[0].text
        == "What is this?\nWhen the provided information is insufficient, respond with "
        + "'Unanswerable'.\nAnswer the question using a single word or phrase."
    )
    #expect(benchmark.questions[0].picture == .file("a.jpg"))
    let answers = try bench.answers([("0", nil, "Unanswerable")])
    let evaluation = try #require(try benchmark.score(answers, path: "answers"))
    #expect(evaluation.items.map(\.score) == [1])
    #expect(
      try benchmark.submission(answers, path: "answers")
        == .text(#"[{"image":"a.jpg","answer":"unanswerable"}]"#)
    )
  }

  // MARK: - ScienceQA

  @Test func scienceQAParsesLettersAsItsScriptDoes() throws {
    let bench = try Bench()
    let texts = [
      "B", "B. because", "The answer is B.", "The answer is B", "The answer is A. The answer is B.",
      "b", "B.", "E", "So, The answer is B, I think",
    ]
    // Problems 3 and 7 come without a picture; the last has none either and is not answered.
    let problems = (0...texts.count).map { index in
      #""\#(index)": {"question": "?", "choices": ["x", "y", "z"], "answer": 1, "hint": "", "#
        + #""image": \#([3, 7, 9].contains(index) ? "null" : "\"image.png\"")}"#
    }
    try bench.write("problems.json", "{" + problems.joined(separator: ",") + "}")
    let ids = (0...texts.count).map { "\"\($0)\"" }.joined(separator: ",")
    try bench.write("pid_splits.json", "{\"test\": [\(ids)]}")
    try bench.write(
      "llava_test_CQM-A.json",
      #"[{"id": "0", "image": "a.png", "conversations": [{"from": "human", "#
        + #""value": "Which?\n<image>"}]}, {"id": "3", "conversations": [{"from": "human", "#
        + #""value": "Why?"}]}]"#
    )
    let questions = try bench.open(.scienceqa).questions
    let request = "\nAnswer with the option's letter from the given choices directly."
    #expect(questions.map(\.text) == ["Which?" + request, "Why?" + request])
    #expect(questions.map(\.recordedPrompt) == ["<image>\nWhich?" + request, "Why?" + request])
    let evaluation = try bench.score(
      .scienceqa,
      texts.enumerated().map { index, text in
        (String(index), [3, 7].contains(index) ? "?" : "<image>\n?", text)
      }
    )
    // A last letter needs some character behind it; two answers are none; lower case is none.
    #expect(evaluation.items.map(\.score) == [1, 1, 1, 0, 0, 0, 0, 0, 1, 0])
    #expect(evaluation["accuracy"]?.count == 10 && near(evaluation["accuracy"]?.value, 0.4))
    #expect(evaluation["accuracy image"]?.count == 7)
    #expect(near(evaluation["accuracy image"]?.value, 4.0 / 7))
  }

  @Test func scienceQACountsMissingPictureQuestionsAsWrong() throws {
    let bench = try Bench()
    try bench.write(
      "problems.json",
      #"{"1": {"choices": ["x", "y"], "answer": 0, "image": "image.png"}, "#
        + #""2": {"choices": ["x", "y"], "answer": 0, "image": "image.png"}}"#
    )
    try bench.write("llava_test_CQM-A.json", "[]")
    let evaluation = try bench.score(.scienceqa, [("1", "<image>\n?", "A")])
    #expect(evaluation["accuracy image"]?.count == 2 && evaluation.missing == 1)
    // A letter beyond the choices is wrong.
    #expect(try bench.score(.scienceqa, [("1", "<image>\n?", "C")]).items[0].score == 0)
  }

  // MARK: - MMBench

  private func mmbench() throws -> Bench {
    let bench = try Bench()
    let rows = [
      "index\tquestion\thint\tA\tB\tC\tD\tanswer\tl2-category\timage",
      "5\tWhat?\t\"a hint,\nof two \"\"lines\"\"\"\tcat\tdog\t\t\tA\tanimals\taGVsbG8=",
      "1000005\tWhat?\t\tdog\tcat\t\t\tB\tanimals\taGVsbG8=",
      "6\tWhich?\tnan\tred\tblue\tnan\tgreen\tB\tcolors\taGVsbG8=",
      "1000006\tWhich?\tNone\tblue\tred\t\t\tA\tcolors\taGVsbG8=",
    ]
    try bench.write("mmbench_dev_20230712.tsv", rows.joined(separator: "\n") + "\n")
    return bench
  }

  @Test func mmbenchAsksWithHintAndOptions() throws {
    let questions = try mmbench().open(.mmbench).questions
    let request = "\nAnswer with the option's letter from the given choices directly."
    #expect(questions[0].text == "a hint,\nof two \"lines\"\nWhat?\nA. cat\nB. dog" + request)
    #expect(questions[0].recordedPrompt == "a hint,\nof two \"lines\"\nWhat?\nA. cat\nB. dog")
    // Options end at the first that is missing.
    #expect(questions[2].text == "Which?\nA. red\nB. blue" + request)
    #expect(questions[3].picture == .base64("aGVsbG8="))
  }

  @Test func mmbenchWantsEveryRotationRight() throws {
    let bench = try mmbench()
    let evaluation = try bench.score(
      .mmbench,
      [
        ("5", nil, "A"), ("1000005", nil, "B. cat"), ("6", nil, "Blue."),
        ("1000006", nil, "purple"),
      ]
    )
    #expect(near(evaluation["circular"]?.value, 0.5))
    #expect(near(evaluation["vanilla"]?.value, 1))
    #expect(near(evaluation["unmatched answers"]?.value, 0.25))
    #expect(near(evaluation["circular colors"]?.value, 0))
    #expect(evaluation["circular"]?.count == 2)
  }

  @Test(arguments: [
    ("A", 1.0), ("A.", 1), ("A. cat", 1), ("(A)", 1), ("(A) cat", 1), ("cat", 1), ("Cat.", 1),
    ("B", 0), ("C", 0), ("a", 0), ("A cat", 0), ("", 0),
  ])
  func mmbenchMatchesAnswers(_ text: String, _ score: Double) throws {
    let evaluation = try mmbench().score(.mmbench, [("5", nil, text), ("1000005", nil, "B")])
    #expect(evaluation.items[0].score == score)
  }

  @Test func mmbenchWritesTheServersColumns() throws {
    let bench = try mmbench()
    let submission = try #require(
      try bench.open(.mmbench).submission(bench.answers([("5", nil, "A\tb")]), path: "answers")
    )
    let text = String(decoding: submission.bytes(isSpreadsheet: false), as: UTF8.self)
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines[0] == "index\tquestion\tA\tB\tC\tD\tanswer\tprediction")
    #expect(lines[1] == "5\tWhat?\tcat\tdog\t\t\tA\t\"A\tb\"")
    #expect(lines.count == 5)
    let sheet = submission.bytes(isSpreadsheet: true)
    #expect(sheet.starts(with: [0x50, 0x4b, 3, 4]))
    let inside = String(decoding: sheet, as: UTF8.self)
    #expect(inside.contains("<c r=\"A2\"><v>5</v></c>"))
    #expect(inside.contains("<t xml:space=\"preserve\">A\tb</t>"))
  }

  // MARK: - MM-Vet

  @Test func mmvetWritesTheGradersFileAndAScoreOfItsOwn() throws {
    let bench = try Bench()
    try bench.write(
      "llava-mm-vet.jsonl",
      (0..<4).map { #"{"question_id": \#($0), "image": "a.jpg", "text": "?"}"# + "\n" }.joined()
    )
    try bench.write(
      "mm-vet.json",
      #"{"v1_0": {"answer": "red<AND>blue", "capability": ["rec", "spat"]}, "#
        + #""v1_1": {"answer": "7<OR>seven", "capability": ["ocr"]}, "#
        + #""v1_2": {"answer": "cat", "capability": ["rec"]}, "#
        + #""v1_3": {"answer": "cat", "capability": ["rec"]}}"#
    )
    let answers =
      [
        ("0", nil, "A Red thing."), ("1", nil, "It says seven"), ("2", nil, "a category"),
      ] as [(id: String, prompt: String?, text: String)]
    let evaluation = try bench.score(.mmvet, answers)
    #expect(evaluation.items.map(\.score) == [0.5, 1, 0, 0])
    #expect(evaluation.metrics[0].name == "mmvet-lite (not comparable)")
    #expect(near(evaluation["lite rec"]?.value, 0.5 / 3))
    let submission = try #require(
      try bench.open(.mmvet).submission(bench.answers(answers), path: "answers")
    )
    let file = try JSONScanner.parse(submission.bytes(isSpreadsheet: false))
    #expect(file.object?.keys == ["v1_0", "v1_1", "v1_2"])
    #expect(file["v1_1"]?.string == "It says seven")
  }

  // MARK: - MMLU

  @Test func mmluWritesTheReferencesPrompt() throws {
    let bench = try Bench()
    try bench.write(
      "dev/high_school_art_dev.csv",
      "One?,a,b,c,d,C\n\"Two,\n\"\"lines\"\"?\",1,2,3,4,A\n"
    )
    try bench.write("test/high_school_art_test.csv", "Three?,w,x,y,z,D\nFour?,w,x,y,z,A\n")
    try bench.write("dev/law_dev.csv", "")
    try bench.write("test/law_test.csv", "Five?,w,x,y,z,B\n")
    let benchmark = try bench.open(.mmlu)
    #expect(benchmark.questions.count == 3)
    guard case .letter(let options, let opening, let shots) = benchmark.questions[0].form else {
      Issue.record("no letters are asked for")
      return
    }
    #expect(options == ["A", "B", "C", "D"])
    #expect(
      opening
        == "The following are multiple choice questions (with answers) about  high school art.\n\n"
    )
    #expect(shots[0] == "One?\nA. a\nB. b\nC. c\nD. d\nAnswer: C\n\n")
    #expect(shots[1] == "Two,\n\"lines\"?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: A\n\n")
    #expect(benchmark.questions[0].text == "Three?\nA. w\nB. x\nC. y\nD. z\nAnswer:")
    let evaluation = try bench.score(
      .mmlu,
      [("high_school_art/0", nil, "D"), ("high_school_art/1", nil, "A"), ("law/0", nil, "A")]
    )
    #expect(near(evaluation["accuracy"]?.value, 2.0 / 3))
    #expect(near(evaluation["accuracy by subject"]?.value, 0.5))
  }

  // MARK: - World

  @Test func worldComparesWholeAnswersAndShowsBaselines() throws {
    let bench = try Bench()
    let lines = [("color", "red", true), ("choice", "A", false), ("where", "top left", true)]
      .enumerated().map { index, entry in
        #"{"question_id": "q\#(index)", "image": "a.png", "text": "?", "category": "\#(entry.0)", "#
          + #""answer": "\#(entry.1)", "kind": "\#(entry.0)", "held_out": \#(entry.2)}"# + "\n"
      }
    try bench.write("questions.jsonl", lines.joined())
    try bench.write(
      "world.json",
      #"{"baselines": {"majority_by_kind": 0.4, "blind": 0.3, "kinds": "#
        + #"[{"kind": "color", "majority": 0.2, "blind": 0.1}]}}"#
    )
    let evaluation = try bench.score(
      .world,
      [("q0", nil, " Red."), ("q1", nil, "a"), ("q2", nil, "in the top left")]
    )
    #expect(evaluation.items.map(\.score) == [1, 1, 0])
    #expect(near(evaluation["exact on held-out things"]?.value, 0.5))
    let text = EvaluationReport(evaluation, name: "demo").text
    #expect(text.contains("majority") && text.contains("40.0") && text.contains("20.0"))
  }
}
