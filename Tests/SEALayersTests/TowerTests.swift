// SPDX-License-Identifier: Apache-2.0
// Text and picture towers: references forward, differences backward.

import SEALayers
import SEAModel
import SEATensor
import TestSupport
import Testing

@Suite struct TowerTests {
  /// The vocabulary ends with the end of text, as CLIP's does.
  private static func text(_ isCLIP: Bool) -> TextTowerDescription {
    TextTowerDescription(
      family: "tiny",
      vocab: 12,
      context: 6,
      hidden: 8,
      blocks: 2,
      heads: 2,
      ffn: 12,
      activation: .quickGelu,
      epsilon: 1e-5,
      isCausal: isCLIP,
      pooling: isCLIP ? .endOfText : .last,
      projection: .init(width: 5, hasBias: !isCLIP),
      startID: isCLIP ? 10 : nil,
      endID: isCLIP ? 11 : 1,
      padID: isCLIP ? 11 : 1
    )
  }

  @Test(arguments: [true, false]) func textTowers(_ isCLIP: Bool) throws {
    var random = SeededRandom(seed: 30)
    let context = LayerContext(try execution())
    let description = Self.text(isCLIP)
    let model = ModelDescription(name: "t", textTower: description)
    let parameters = try ParameterSet(model, options: TrainingOptions(trained: [.textTower]))
    try parameters.randomize(seed: 31)
    let tower = try TextTower(description, in: parameters)
    let texts: [[Int32]] = isCLIP ? [[10, 3, 11], [10, 4, 5, 3, 11]] : [[3, 1], [4, 5, 1]]
    let batch = try tower.batch(texts)
    let (points, probe) = (try matrix(2, 5, &random), try matrix(2, 5, &random))
    let check = DifferenceCheck(
      variables: try parameters.all.map { ($0.name, try $0.view) },
      value: {
        try tower.forward(batch, mode: .keep, isFinal: true, into: points, context)
        return product(points, probe)
      },
      gradients: {
        try tower.forward(batch, mode: .recompute, into: points, context)
        try tower.backward(probe, batch, mode: .recompute, context)
        return try parameters.all.map { try #require($0.gradient, "\($0.name)").array() }
      }
    )
    try check.run(limit: 12)
    #expect(throws: LayerError.self) { _ = try tower.batch([[]]) }
    #expect(throws: LayerError.self) {
      _ = try tower.batch([[Int32](repeating: 2, count: 7)])
    }
  }

  @Test(arguments: [true, false]) func pictureTowers(_ isCLIP: Bool) throws {
    var random = SeededRandom(seed: 32)
    let context = LayerContext(try execution())
    var encoder = TinyDescriptions.encoder(isCLIP: isCLIP, appliesFinalNorm: false)
    encoder.projection = isCLIP ? 5 : nil
    encoder.hasPoolingHead = !isCLIP
    let model = ModelDescription(name: "t", encoder: encoder)
    let parameters = try ParameterSet(model, options: TrainingOptions(trained: [.encoder]))
    try parameters.randomize(seed: 33)
    let tower = try PictureTower(encoder, in: parameters)
    let pictures = (0..<3).map { _ in random.floats(3 * 9 * 9) }
    let width = isCLIP ? 5 : 8
    let (points, probe) = (try matrix(3, width, &random), try matrix(3, width, &random))
    let check = DifferenceCheck(
      variables: try parameters.all.map { ($0.name, try $0.view) },
      value: {
        try tower.forward(pictures, mode: .keep, isFinal: true, into: points, context)
        return product(points, probe)
      },
      gradients: {
        try tower.forward(pictures, mode: .keep, into: points, context)
        try tower.backward(probe, mode: .keep, context)
        return try parameters.all.map { try #require($0.gradient, "\($0.name)").array() }
      }
    )
    try check.run(limit: 10)
  }

  /// Patches by the side of pictures, in the form that labels compare with words.
  @Test(arguments: [true, false]) func patchesOfPictureTowers(_ isCLIP: Bool) throws {
    var random = SeededRandom(seed: 34)
    let context = LayerContext(try execution())
    var encoder = TinyDescriptions.encoder(isCLIP: isCLIP, appliesFinalNorm: false)
    encoder.projection = isCLIP ? 5 : nil
    encoder.hasPoolingHead = !isCLIP
    let model = ModelDescription(name: "t", encoder: encoder)
    let parameters = try ParameterSet(model, options: TrainingOptions(trained: [.encoder]))
    try parameters.randomize(seed: 35)
    let tower = try PictureTower(encoder, in: parameters)
    let width = isCLIP ? 5 : 8
    let patches = try matrix(2 * encoder.patches, encoder.patchValues, &random)
    let (points, probe) = (try matrix(2, width, &random), try matrix(2, width, &random))
    let rows = 2 * encoder.patches
    let (own, ownProbe) = (try matrix(rows, width, &random), try matrix(rows, width, &random))
    func run(isFinal: Bool) throws {
      try tower.forward(
        pictures: 2,
        mode: .keep,
        isFinal: isFinal,
        into: points,
        patchPoints: own,
        context
      ) { $0.copy(from: patches) }
    }
    let check = DifferenceCheck(
      variables: try parameters.all.map { ($0.name, try $0.view) },
      value: {
        try run(isFinal: true)
        return product(points, probe) + product(own, ownProbe)
      },
      gradients: {
        try run(isFinal: false)
        try tower.backward(probe, patchPoints: ownProbe, mode: .keep, context)
        return try parameters.all.map { try #require($0.gradient, "\($0.name)").array() }
      }
    )
    try check.run(h: 1 / 128, limit: 10)
  }

  @Test(arguments: ["clip-tiny", "siglip-tiny"]) func referencesAreMet(_ name: String) throws {
    let source = try HubTowers(Fixtures.path("SEARuntimeTests", name))
    let reference = source.reference
    let parameters = try ParameterSet(source.model, options: TrainingOptions(trained: []))
    let context = LayerContext(try execution())
    try parameters.load(from: source, with: context.execution.kernels.inference)
    let tower = try TextTower(try #require(source.model.textTower), in: parameters)
    let width = try #require(reference.shapes["word_ids"]?.last)
    let words = try reference["word_ids"].map { Int32($0) }
    let texts = stride(from: 0, to: words.count, by: width).map { start -> [Int32] in
      let row = words[start..<start + width]
      // SigLIP's end fills words up; CLIP's largest id ends them whatever follows.
      return source.isCLIP ? Array(row) : Array(row.prefix { $0 != 1 }) + [1]
    }
    let points = try MatrixView<Float>(rows: texts.count, columns: tower.tower.jointWidth)
    try tower.forward(
      try tower.batch(texts),
      mode: .keep,
      isFinal: true,
      into: points,
      context
    )
    expectClose(
      points.array(),
      try reference["text_embeds"],
      relative: 0,
      absolute: 5e-4,
      "texts"
    )

    let pictures = try PictureTower(try #require(source.model.encoder), in: parameters)
    let pixels = try reference["pixel_values"]
    let count = pixels.count / 2
    let images = try MatrixView<Float>(rows: 2, columns: points.columns)
    try pictures.forward(
      [Array(pixels[..<count]), Array(pixels[count...])],
      mode: .keep,
      isFinal: true,
      into: images,
      context
    )
    expectClose(
      images.array(),
      try reference[source.isCLIP ? "image_embeds" : "pooler_output"],
      relative: 0,
      absolute: 5e-4,
      "pictures"
    )
  }
}
