// SPDX-License-Identifier: Apache-2.0
// The published benchmarks in small: their files and forms, over the pictures of a world.

internal import FoundationEssentials
internal import SEAFormat
internal import SEATensor

/// Writes one folder per benchmark, with the names that its published files have.
///
/// The pictures are those of the world, so `--images` is the world's `images` folder for all of them.
package struct MiniatureBenchmarks {
  let records: Records

  /// Scenes asked about at most.
  private static let limit = 100
  /// People who answer each question in the benchmarks that ask ten.
  private static let people = 10

  /// Benchmarks over the scenes of `records`.
  package init(_ records: Records) {
    self.records = records
  }

  private var scenes: [Scene] {
    (0..<min(records.options.count, Self.limit)).map { records.scene($0) }
  }

  /// Writes all of them below `benchmarks`.
  func write(to world: WorldFolder) throws(WorldError) {
    try world.make(WorldFile.benchmarks)
    let folder = WorldFolder(path: world.file(WorldFile.benchmarks))
    try writePOPE(folder)
    try writeGQA(folder)
    try writeTextVQA(folder)
    try writeScienceQA(folder)
    try writeVQA(folder)
    try writeVizWiz(folder)
    try writeMMBench(folder, pictures: world)
    try writeMMVet(folder)
    try writeMMLU(folder)
  }

  // MARK: - Short answers

  /// Balanced questions for a kind that is there and one that is not, in the three categories.
  private func writePOPE(_ folder: WorldFolder) throws(WorldError) {
    let categories = ["random", "popular", "adversarial"]
    var questions: [JSONValue] = []
    try folder.make("pope")
    try folder.make("pope/coco")
    for (offset, category) in categories.enumerated() {
      var labels: [JSONValue] = []
      for scene in scenes {
        var random = WorldRandom(records.options.seed, UInt64(scene.index), UInt64(offset), 5)
        let absent = Kind.allCases.filter { scene.count($0) == 0 }
        let pairs = [(random.pick(scene.things)?.kind, "yes"), (random.pick(absent), "no")]
        for case (let kind?, let label) in pairs {
          let text = "Is there \(Caption.withArticle(kind.word)) in the image?"
          let id = labels.count + 1
          labels.append([
            "question_id": number(id), "image": .string(records.image(scene.index)),
            "text": .string(text), "label": .string(label),
          ])
          questions.append([
            "question_id": number(questions.count), "image": .string(records.image(scene.index)),
            "text": .string(text + Question.shortAnswer), "category": .string(category),
          ])
        }
      }
      try lines(labels, "pope/coco/coco_pope_\(category).json", folder)
    }
    try lines(questions, "pope/llava_pope_test.jsonl", folder)
  }

  private func writeGQA(_ folder: WorldFolder) throws(WorldError) {
    var questions: [JSONValue] = []
    var answers = JSONObject()
    try folder.make("gqa")
    for (scene, question) in asked([.what, .color, .place, .yesNo]) {
      let id = String(20_000_000 + questions.count)
      questions.append([
        "question_id": .string(id), "image": .string(records.image(scene.index)),
        "text": .string(question.text + Question.shortAnswer), "category": "default",
      ])
      answers[id] = [
        "question": .string(question.text), "answer": .string(question.answer),
        "imageId": .string(imageID(scene)), "isBalanced": .bool(true),
      ]
    }
    try lines(questions, "gqa/llava_gqa_testdev_balanced.jsonl", folder)
    try save(.object(answers), "gqa/testdev_balanced_questions.json", folder)
  }

  private func writeTextVQA(_ folder: WorldFolder) throws(WorldError) {
    var questions: [JSONValue] = []
    var data: [JSONValue] = []
    try folder.make("textvqa")
    for (scene, question) in asked([.read]) {
      let tokens = scene.things.compactMap(\.number).map(String.init).joined(separator: ", ")
      questions.append([
        "question_id": .string(imageID(scene)), "image": .string(records.image(scene.index)),
        "text": .string(
          "\(question.text)\nReference OCR token: \(tokens)\(Question.shortAnswer)"
        ),
        "category": "default",
      ])
      data.append([
        "question_id": number(data.count), "image_id": .string(imageID(scene)),
        "question": .string(question.text),
        "answers": .array((0..<Self.people).map { _ in .string(question.answer) }),
      ])
    }
    try lines(questions, "textvqa/llava_textvqa_val_v051_ocr.jsonl", folder)
    try save(
      ["dataset_type": "val", "data": .array(data)],
      "textvqa/TextVQA_0.5.1_val.json",
      folder
    )
  }

  /// Ten answers of which some differ, so that scores between 0 and 1 occur.
  private func answers(_ answer: String, _ random: inout WorldRandom) -> [String] {
    let dissenters = random.chance(0.5) ? 0 : random.below(9)
    return (0..<Self.people).map { $0 < dissenters ? "something else" : answer }
  }

  private func writeVQA(_ folder: WorldFolder) throws(WorldError) {
    var questions: [JSONValue] = []
    var annotations: [JSONValue] = []
    var random = WorldRandom(records.options.seed, 6)
    try folder.make("vqav2")
    for (scene, question) in asked([.count, .color, .yesNo]) {
      let id = number(questions.count + 1000)
      questions.append([
        "question_id": id, "image": .string(records.image(scene.index)),
        "text": .string(question.text + Question.shortAnswer), "category": "default",
      ])
      let type = ["yes", "no"].contains(question.answer) ? "yes/no" : "other"
      annotations.append([
        "question_id": id, "image_id": number(scene.index),
        "answer_type": .string(question.kind == .count ? "number" : type),
        "multiple_choice_answer": .string(question.answer),
        "answers": .array(
          answers(question.answer, &random).enumerated().map { position, answer in
            [
              "answer": .string(answer), "answer_confidence": "yes",
              "answer_id": number(position + 1),
            ]
          }
        ),
      ])
    }
    try lines(questions, "vqav2/llava_vqav2_mscoco_val2014.jsonl", folder)
    try save(
      ["annotations": .array(annotations)],
      "vqav2/v2_mscoco_val2014_annotations.json",
      folder
    )
  }

  private func writeVizWiz(_ folder: WorldFolder) throws(WorldError) {
    var questions: [JSONValue] = []
    var items: [JSONValue] = []
    var random = WorldRandom(records.options.seed, 7)
    try folder.make("vizwiz")
    for (scene, question) in asked([.what, .color, .unanswerable]) {
      questions.append([
        "question_id": number(questions.count), "image": .string(records.image(scene.index)),
        "text": .string(question.text + Question.mayRefuse + Question.shortAnswer),
        "category": "default",
      ])
      let isAnswerable = question.kind != .unanswerable
      items.append([
        "image": .string(records.image(scene.index)), "question": .string(question.text),
        "answers": .array(
          answers(question.answer, &random).map {
            ["answer": .string($0), "answer_confidence": "yes"]
          }
        ),
        "answer_type": .string(isAnswerable ? "other" : "unanswerable"),
        "answerable": number(isAnswerable ? 1 : 0),
      ])
    }
    try lines(questions, "vizwiz/llava_val.jsonl", folder)
    try save(.array(items), "vizwiz/val.json", folder)
  }

  // MARK: - Options

  private func writeScienceQA(_ folder: WorldFolder) throws(WorldError) {
    var problems = JSONObject()
    var prompts: [JSONValue] = []
    try folder.make("scienceqa")
    for (scene, question) in asked([.choice]) {
      let (text, options) = Self.parts(question)
      let id = String(problems.count + 1)
      // Every fifth problem comes without its picture, as a part of the published ones does.
      let hasImage = scene.index % 5 != 4
      problems[id] = [
        "question": .string(text), "choices": .array(options.map { .string($0) }),
        "answer": number(QuestionMaker.letters.firstIndex(of: question.answer) ?? 0), "hint": "",
        "image": hasImage ? "image.png" : .null, "split": "test",
      ]
      let listed = zip(QuestionMaker.letters, options).map { "(\($0)) \($1)" }
      let prompt = "\(text)\nOptions: \(listed.joined(separator: " "))"
      var record = JSONObject([
        (key: "id", value: .string(id)),
        (
          key: "conversations",
          value: [
            ["from": "human", "value": .string((hasImage ? "<image>\n" : "") + prompt)],
            ["from": "gpt", "value": .string("The answer is \(question.answer).")],
          ]
        ),
      ])
      if hasImage { record["image"] = .string(records.image(scene.index)) }
      prompts.append(.object(record))
    }
    try save(.object(problems), "scienceqa/problems.json", folder)
    try save(.array(prompts), "scienceqa/llava_test_CQM-A.json", folder)
    try save(
      ["test": .array(problems.keys.map { .string($0) })],
      "scienceqa/pid_splits.json",
      folder
    )
  }

  /// Every question comes once for each rotation of its options.
  private func writeMMBench(
    _ folder: WorldFolder,
    pictures: WorldFolder
  ) throws(WorldError) {
    var table = [
      [
        "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "l2-category",
        "split",
        "image",
      ].joined(separator: "\t")
    ]
    try folder.make("mmbench")
    for (position, (scene, question)) in asked([.choice]).prefix(30).enumerated() {
      let (text, options) = Self.parts(question)
      let right = QuestionMaker.letters.firstIndex(of: question.answer) ?? 0
      let path = pictures.file("\(WorldFile.images)/\(records.image(scene.index))")
      let bytes: [UInt8]
      do throws(FileError) {
        bytes = try MappedFile(path: path).bytes.array()
      } catch {
        throw .file(error)
      }
      let image = Data(bytes).base64EncodedString()
      for turn in options.indices {
        let turned = options.indices.map { options[($0 + turn) % options.count] }
        let answer = QuestionMaker.letters[(right - turn + options.count) % options.count]
        let padded = turned + Array(repeating: "", count: 4 - turned.count)
        let index = String(position + turn * 1_000_000)
        let cells =
          [index, text, "A picture of a harbour."] + padded
          + [answer, "harbour", "perception", "dev", image]
        table.append(cells.joined(separator: "\t"))
      }
    }
    let rows = table.joined(separator: "\n") + "\n"
    try folder.write(Array(rows.utf8), to: "mmbench/mmbench_dev_20230712.tsv")
  }

  /// The question and the options of a choice.
  static func parts(_ question: Question) -> (text: String, options: [String]) {
    let lines = question.text.split(separator: "\n").map(String.init)
    let options = lines.dropFirst().filter { line in
      QuestionMaker.letters.contains { line.hasPrefix($0 + ". ") }
    }
    return (lines.first ?? "", options.map { String($0.dropFirst(3)) })
  }

  // MARK: - Free answers and text

  private func writeMMVet(_ folder: WorldFolder) throws(WorldError) {
    var questions: [JSONValue] = []
    var answers = JSONObject()
    try folder.make("mm-vet")
    for (scene, question) in asked([.read, .place, .what]) {
      let id = questions.count
      questions.append([
        "question_id": number(id), "image": .string(records.image(scene.index)),
        "text": .string(question.text), "category": "default",
      ])
      let parts = question.answer.split(separator: " ").joined(separator: "<AND>")
      let abilities: JSONValue =
        switch question.kind {
        case .read: ["ocr"]
        case .place: ["rec", "spat"]
        default: ["rec"]
        }
      answers["v1_\(id)"] = [
        "imagename": .string(records.image(scene.index)), "question": .string(question.text),
        "answer": .string(
          question.kind == .what ? "\(question.answer)<OR>a \(question.answer)" : parts
        ),
        "capability": abilities,
      ]
    }
    try lines(questions, "mm-vet/llava-mm-vet.jsonl", folder)
    try save(.object(answers), "mm-vet/mm-vet.json", folder)
  }

  private func writeMMLU(_ folder: WorldFolder) throws(WorldError) {
    let subjects = ["arithmetic": "harbour_arithmetic", "facts": "harbour_facts"]
    try folder.make("mmlu")
    try folder.make("mmlu/dev")
    try folder.make("mmlu/test")
    for (kind, subject) in subjects.sorted(by: { $0.key < $1.key }) {
      let dev = rows(kind, split: .train, count: 5)
      let test = rows(kind, split: records.options.split, count: 40)
      try folder.write(Array(dev.utf8), to: "mmlu/dev/\(subject)_dev.csv")
      try folder.write(Array(test.utf8), to: "mmlu/test/\(subject)_test.csv")
    }
  }

  /// Text questions with options, as lines of question, four options and letter.
  private func rows(_ kind: String, split: Split, count: Int) -> String {
    let maker = TextMaker(seed: records.options.seed ^ 0x6d6d_6c75, split: split)
    var rows: [String] = []
    var seen: Set<String> = []
    // Options come with about one text in twenty.
    for index in 0..<20_000 where rows.count < count {
      let item = maker.item(index)
      guard item.kind == kind, item.choices.count == 4 else { continue }
      let question = item.question.prefix { $0 != "\n" }
      guard seen.insert(String(question)).inserted else { continue }
      let cells = [String(question)] + item.choices + [item.answer]
      rows.append(cells.map { "\"\($0)\"" }.joined(separator: ",") + "\n")
    }
    return rows.joined()
  }

  // MARK: - Pieces

  /// Questions of the kinds, one of each for every scene that allows it.
  private func asked(_ kinds: [QuestionKind]) -> [(Scene, Question)] {
    scenes.flatMap { scene -> [(Scene, Question)] in
      var maker = QuestionMaker(
        scene,
        random: WorldRandom(records.options.seed, UInt64(scene.index), 8)
      )
      return kinds.compactMap { kind in maker.question(kind).map { (scene, $0) } }
    }
  }

  private func imageID(_ scene: Scene) -> String {
    String(records.image(scene.index).dropLast(4))
  }

  private func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }

  private func lines(
    _ values: [JSONValue],
    _ name: String,
    _ folder: WorldFolder
  ) throws(WorldError) {
    let text = values.map { $0.serialized() + "\n" }.joined()
    try folder.write(Array(text.utf8), to: name)
  }

  private func save(
    _ value: JSONValue,
    _ name: String,
    _ folder: WorldFolder
  ) throws(WorldError) {
    try folder.write(Array(value.serialized(pretty: true).utf8), to: name)
  }
}
