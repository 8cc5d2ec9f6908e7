// SPDX-License-Identifier: Apache-2.0
// Scenes as the records of LLaVA's training files and of a question file.

package import SEAFormat

/// Makes the text that belongs to each scene.
package struct Records: Sendable {
  let options: WorldOptions
  let maker: SceneMaker

  /// Records of a world.
  package init(_ options: WorldOptions) {
    self.options = options
    maker = SceneMaker(seed: options.seed, split: options.split)
  }

  /// The scene with this number.
  package func scene(_ index: Int) -> Scene { maker.scene(index) }

  /// The file name of a scene's picture, below `images`.
  package func image(_ index: Int) -> String { "\(Self.padded(index)).png" }

  /// The name of a scene in all worlds.
  package func id(_ index: Int) -> String {
    "harbour-\(options.split.rawValue)-\(options.seed)-\(Self.padded(index))"
  }

  private static func padded(_ index: Int) -> String {
    let digits = String(index)
    return String(repeating: "0", count: max(6 - digits.count, 0)) + digits
  }

  private func random(_ index: Int, _ purpose: UInt64) -> WorldRandom {
    WorldRandom(options.seed, options.split.key, UInt64(index), purpose)
  }

  // MARK: - Training

  /// A caption record of LLaVA's first stage.
  package func caption(_ scene: Scene) -> JSONValue {
    var random = random(scene.index, 1)
    let request = Caption.request(&random)
    return record(
      scene.index,
      [("<image>\n" + request, Caption.text(scene, &random))]
    )
  }

  /// A conversation record: several questions behind one picture.
  ///
  /// As in LLaVA's mixture, a request for the form of the answers stands, if at all, in the first turn.
  package func conversation(_ scene: Scene) -> JSONValue {
    var random = random(scene.index, 2)
    let questions = self.questions(scene)
    var turns: [(String, String)] = []
    for (position, question) in questions.enumerated() {
      var text = question.text
      if position == 0 { text = "<image>\n" + text }
      if position == 0, question.kind != .choice, random.chance(0.5) {
        if question.kind == .unanswerable || random.chance(0.2) { text += Question.mayRefuse }
        text += Question.shortAnswer
      }
      turns.append((text, question.answer))
    }
    return record(scene.index, turns)
  }

  /// The questions of a scene's conversation.
  package func questions(_ scene: Scene) -> [Question] {
    var maker = QuestionMaker(scene, random: random(scene.index, 3))
    var questions = maker.questions(WorldOptions.turns)
    if scene.hasNumber, !questions.contains(where: { $0.kind == .read }),
      let read = maker.question(.read), !questions.isEmpty
    {
      questions[questions.count - 1] = read
    }
    return questions
  }

  private func record(_ index: Int, _ turns: [(String, String)]) -> JSONValue {
    [
      "id": .string(id(index)), "image": .string(image(index)),
      "conversations": .array(
        turns.flatMap { turn -> [JSONValue] in
          [
            ["from": "human", "value": .string(turn.0)], ["from": "gpt", "value": .string(turn.1)],
          ]
        }
      ),
    ]
  }

  // MARK: - Test

  /// Questions of the held-out test: about the held-out thing where they are about one.
  package func testQuestions(_ scene: Scene) -> [Question] {
    var maker = QuestionMaker(scene, random: random(scene.index, 4))
    let focus = scene.things.firstIndex { Combination.heldOut.contains($0.combination) }
    var questions = maker.questions(WorldOptions.questions, focus: focus, repeatsKinds: false)
    if scene.hasNumber, !questions.contains(where: { $0.kind == .read }), maker.coin(),
      let read = maker.question(.read, focus: focus), !questions.isEmpty
    {
      questions[questions.count - 1] = read
    }
    return questions
  }

  /// A line of `questions.jsonl`.
  package func testRecord(_ question: Question, position: Int, of scene: Scene) -> JSONValue {
    let isHeldOut = question.thing.map {
      Combination.heldOut.contains(scene.things[$0].combination)
    }
    return [
      "question_id": .string("\(id(scene.index))-\(position)"),
      "image": .string(image(scene.index)),
      "text": .string(question.text),
      "category": .string(question.kind.rawValue),
      "answer": .string(question.answer),
      "kind": .string(question.kind.rawValue),
      "held_out": .bool(isHeldOut ?? false),
    ]
  }

  /// A line of `text.jsonl`.
  package func text(_ index: Int) -> JSONValue {
    let item = TextMaker(seed: options.seed, split: options.split).item(index)
    var object = JSONObject([
      (key: "id", value: .string("text-\(options.split.rawValue)-\(options.seed)-\(index)")),
      (key: "kind", value: .string(item.kind)), (key: "text", value: .string(item.text)),
    ])
    if !item.question.isEmpty {
      object["question"] = .string(item.question)
      object["answer"] = .string(item.answer)
    }
    return .object(object)
  }
}
