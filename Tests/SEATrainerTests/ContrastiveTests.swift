// SPDX-License-Identifier: Apache-2.0
// Contrastive training in parts: gradients of the whole pair, captions, masks.

import Foundation
import SEALayers
import SEAModel
import SEATensor
import SEATrainer
import TestSupport
import Testing

@Suite struct ContrastiveTests {
  private static func model(_ kind: ContrastiveKind) -> ModelDescription {
    let isCLIP = kind == .clip
    return ModelDescription(
      name: "tiny",
      encoder: EncoderDescription(
        family: "tiny",
        imageSide: 9,
        patchSide: 4,
        hidden: 8,
        blocks: 2,
        heads: 2,
        ffn: 12,
        activation: .geluTanh,
        epsilon: 1e-5,
        hasClassToken: isCLIP,
        hasPatchBias: !isCLIP,
        hasPreNorm: isCLIP,
        hasFinalNorm: true,
        selection: FeatureSelection(layer: 2, appliesFinalNorm: false, dropsFirst: isCLIP),
        projection: isCLIP ? 6 : nil,
        hasPoolingHead: !isCLIP
      ),
      textTower: TextTowerDescription(
        family: "tiny",
        vocab: 12,
        context: 5,
        hidden: 8,
        blocks: 1,
        heads: 2,
        ffn: 12,
        activation: .geluTanh,
        epsilon: 1e-5,
        isCausal: isCLIP,
        pooling: isCLIP ? .endOfText : .last,
        projection: .init(width: isCLIP ? 6 : 8, hasBias: !isCLIP),
        startID: isCLIP ? 10 : nil,
        endID: 11,
        padID: 11
      )
    )
  }

  /// Towers of random values and a batch of three pictures.
  private static func setUp(
    _ kind: ContrastiveKind,
    threads: Int = 2
  ) throws -> (model: ContrastiveModel, batch: ContrastiveBatch) {
    var random = SeededRandom(seed: 50)
    let execution = try TrainingExecution(
      kernels: TrainingKernels(try Kernels(.best)),
      pool: WorkerPool(threads: threads)
    )
    let model = try ContrastiveModel(
      Self.model(kind),
      kind: kind,
      hasDenseLoss: true,
      on: execution
    )
    for parameter in model.parameters.all {
      guard case .float32(let values) = parameter.values else { continue }
      let center: Float = parameter.name.contains("norm") ? 1 : 0
      values.copy(from: random.floats(parameter.count, upTo: 0.4).map { $0 + center })
    }
    model.logScale.values[0, 0] = 1.2
    model.logBias?.values[0, 0] = -0.4
    model.denseScale?.values[0, 0] = 1.5
    let pixels = random.floats(3 * 4 * 48)
    var batch = ContrastiveBatch(
      pictures: 3,
      texts: [[10, 1, 2, 11], [10, 3, 11], [10, 4, 5, 11]],
      fill: { $0.copy(from: pixels) }
    )
    batch.words = [[10, 1, 11], [10, 2, 11], [10, 6, 7, 11], [10, 8, 11]]
    for patch in 0..<12 {
      batch.shown.add((0..<Int32(patch % 3)).map { ($0 + Int32(patch)) % 4 }, weight: 1)
    }
    return (model, batch)
  }

  @Test(arguments: ContrastiveKind.allCases)
  func gradientsOfThePairMeetDifferences(_ kind: ContrastiveKind) throws {
    let weight = 0.7
    let (model, batch) = try Self.setUp(kind)
    let rates = ContrastiveRates(towers: 1e-3, scale: 1e-2, weightDecay: 0)
    let store = try model.store(rates)
    store.zeroGradients()
    let found = try model.accumulate(batch, denseWeight: weight)
    #expect(found.pairs > 0 && (found.patches ?? 0) > 0)
    let gradients = store.parameters.map { $0.tensor.gradient?.array() ?? [] }
    func value() throws -> Double {
      let losses = try model.accumulate(batch, denseWeight: weight)
      return losses.pairs + weight * (losses.patches ?? 0)
    }
    let h: Float = 1 / 64
    for (parameter, expected) in zip(store.parameters, gradients) {
      let tensor = parameter.tensor
      guard case .float32(let values) = tensor.trainedValues else { continue }
      let largest = expected.map { abs(Double($0)) }.max() ?? 0
      let count = values.rows * values.columns
      for entry in stride(from: 0, to: count, by: max(count / 6, 1)) {
        let (row, column) = (entry / values.columns, entry % values.columns)
        let before = values[row, column]
        values[row, column] = before + h
        let up = try value()
        values[row, column] = before - h
        let down = try value()
        values[row, column] = before
        let slope = (up - down) / (2 * Double(h))
        #expect(
          abs(slope - Double(expected[entry])) <= 6e-3 * largest + 3e-4,
          "\(tensor.name)[\(row), \(column)]: \(expected[entry]), difference \(slope)"
        )
      }
    }
  }

  @Test(arguments: ContrastiveKind.allCases)
  func threadsChangeNothing(_ kind: ContrastiveKind) throws {
    let results = try [1, 2].map { threads -> [[Float]] in
      let (model, batch) = try Self.setUp(kind, threads: threads)
      _ = try model.accumulate(batch, denseWeight: 1)
      return model.parameters.all.map { $0.gradient?.array() ?? [] }
    }
    #expect(results[0] == results[1])
  }

  @Test func scalesStayWithinTheirLimit() throws {
    let (model, _) = try Self.setUp(.clip)
    model.logScale.values[0, 0] = 9
    model.clamp()
    #expect(abs(model.temperature - 0.01) < 1e-6)
  }

  @Test func captionsFallIntoPhrases() {
    let texts = CaptionTexts("A small red boat with the number 7 and a gull, by day.")
    #expect(texts.phrases == ["A small red boat with the number 7", "a gull", "by day"])
    #expect(CaptionTexts("...").phrases == ["..."])
    #expect(CaptionTexts("sand and sea").phrases == ["sand", "sea"])
  }

  // MARK: - Masks

  private func masks(_ lines: [String], grid: Int = 2) throws -> PatchMasks {
    let folder = try TemporaryFolder()
    let path = folder.path + "/masks.jsonl"
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
    return try PatchMasks(path: path, grid: grid)
  }

  @Test func masksAreRead() throws {
    let masks = try masks([
      """
      {"image": "a.png", "grid": 2, "phrases": ["red boat", "sea"], "patches": [[0], [0, 1], [1], []], \
      "words": [["red", "boat"], ["sea"]], "parts": ["colour", "kind"], "grounds": 1, "marks": {"7": [1]}}
      """,
      #"{"image": "b.png", "grid": 2, "phrases": ["a gull"], "patches": [[], [0], [], []]}"#,
    ])
    #expect(masks.words == ["red", "boat", "sea", "7", "a gull"])
    let groups = masks.groupOfWord.map { masks.groups[$0] }
    #expect(groups == ["colour", "kind", "ground", "mark", "word1"])
    #expect(masks.patch(0, of: "a.png").words == [0, 1])
    #expect(Array(masks.patch(1, of: "a.png").words) == [0, 1, 2, 3])
    #expect(masks.patch(2, of: "a.png").isGround && !masks.patch(1, of: "a.png").isGround)
    #expect(Array(masks.patch(1, of: "b.png").words) == [4])
    #expect(masks.knows("b.png") && !masks.knows("c.png"))
    var shown = PatchWords()
    masks.add("a.png", groundWeight: 0.5, markWeight: 3, to: &shown)
    masks.add("c.png", groundWeight: 0.5, markWeight: 3, to: &shown)
    #expect(shown.count == 8 && shown.total == 2 + 3 * 4 + 0.5)
  }

  @Test(arguments: [
    #"{"grid": 2}"#, #"{"image": "a", "grid": 3, "phrases": [], "patches": []}"#, "nonsense",
    #"{"image": "a", "grid": 2, "phrases": ["b"], "patches": [[1], [], [], []]}"#,
    #"{"image": "a", "grid": 2, "phrases": ["b"], "patches": [[0]]}"#,
    #"{"image": "a", "grid": 2, "phrases": ["b"], "words": [], "patches": [[0], [], [], []]}"#,
    #"{"image": "a", "grid": 2, "phrases": ["b"], "patches": [[0], [], [], []], "marks": {"c": [4]}}"#,
    #"{"image": "a", "grid": 2, "phrases": ["b"], "grounds": 2, "patches": [[0], [], [], []]}"#,
  ])
  func masksThatAreWrongAreRefused(_ line: String) throws {
    #expect {
      _ = try masks([line])
    } throws: { error in
      guard case .badInput(_, let problem) = error as? TrainerError else { return false }
      return problem.hasPrefix("line 1: ")
    }
  }
}
