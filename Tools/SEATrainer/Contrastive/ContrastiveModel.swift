// SPDX-License-Identifier: Apache-2.0
// A picture tower and a text tower, with the losses between them.

internal import Glibc
package import SEALayers
package import SEAModel
package import SEATensor

/// What one pass sees.
package struct ContrastiveBatch {
  /// Number of pictures.
  package var pictures: Int
  /// Writes `[pictures · patches, patchValues]`, each patch as channel, row, column.
  package var fill: (MatrixView<Float>) -> Void
  /// A text for each picture, as token ids.
  package var texts: [[Int32]]
  /// Words that patches are told by, as token ids; empty: nothing is said of patches.
  package var words: [[Int32]] = []
  /// The words of every patch of every picture.
  package var shown = PatchWords()

  /// Pictures and their texts.
  package init(
    pictures: Int,
    texts: [[Int32]],
    fill: @escaping (MatrixView<Float>) -> Void
  ) {
    self.pictures = pictures
    self.texts = texts
    self.fill = fill
  }
}

/// What a pass found.
package struct ContrastiveLosses: Sendable, Equatable {
  /// Of pictures and texts.
  package var pairs = 0.0
  /// Of patches and words; nil: nothing was said of patches.
  package var patches: Double?
  /// Rows that went through both towers.
  package var rows = 0
}

/// Two towers that are trained together.
package final class ContrastiveModel {
  package let kind: ContrastiveKind
  package let encoder: EncoderDescription
  package let tower: TextTowerDescription
  /// Values and gradients of both towers.
  package let parameters: ParameterSet
  /// p, where logits are cosines times exp(p).
  package let logScale: OwnTensor
  /// Added to SigLIP's logits.
  package let logBias: OwnTensor?
  /// p of patches and words; nil: nothing is said of patches.
  package let denseScale: OwnTensor?
  package let execution: TrainingExecution

  private let pictureTower: PictureTower
  private let textTower: TextTower
  private let context: LayerContext
  private var rooms: [String: MatrixView<Float>] = [:]

  /// Largest p, as CLIP has it.
  package static let largestLogScale = Float(log(100.0))
  /// CLIP's first p: a temperature of 0.07.
  private static let firstLogScale = Float(log(1 / 0.07))

  /// Towers of zeros.
  ///
  /// - Parameters:
  ///   - model: an encoder that leads to a joint space and its text tower.
  ///   - kind: the loss.
  ///   - hasDenseLoss: something is said of patches.
  ///   - execution: what layers run on.
  /// - Throws: `TrainerError`, `ModelError` or `LayerError`.
  package init(
    _ model: ModelDescription,
    kind: ContrastiveKind,
    hasDenseLoss: Bool,
    on execution: TrainingExecution
  ) throws {
    guard let encoder = model.encoder, let tower = model.textTower else {
      throw TrainerError.usage("a vision encoder and a text tower are needed")
    }
    self.kind = kind
    self.encoder = encoder
    self.tower = tower
    self.execution = execution
    parameters = try ParameterSet(
      ModelDescription(name: model.name, encoder: encoder, textTower: tower),
      options: TrainingOptions(trained: [.encoder, .textTower])
    )
    pictureTower = try PictureTower(encoder, in: parameters)
    textTower = try TextTower(tower, in: parameters)
    context = LayerContext(execution)
    let isCLIP = kind == .clip
    logScale = try OwnTensor(
      "logit_scale",
      values: [isCLIP ? Self.firstLogScale : Float(log(10.0))],
      columns: 1
    )
    logBias = isCLIP ? nil : try OwnTensor("logit_bias", values: [-10], columns: 1)
    denseScale =
      hasDenseLoss ? try OwnTensor("patch_scale", values: [Self.firstLogScale], columns: 1) : nil
  }

  /// Everything that is trained, with its moments: matrices, then norms, biases and single rows without
  /// decay, then scales.
  ///
  /// - Throws: `TrainerError.file` when memory cannot be had.
  package func store(_ rates: ContrastiveRates) throws(TrainerError) -> ParameterStore {
    var tensors: [(tensor: any TrainedTensor, group: Int)] = parameters.all.map {
      ($0, Self.decays($0) ? 0 : 1)
    }
    for tensor in [logScale, logBias, denseScale] {
      if let tensor { tensors.append((tensor, 2)) }
    }
    return try ParameterStore(
      groups: [
        ParameterGroup(
          name: "towers",
          learningRate: rates.towers,
          weightDecay: rates.weightDecay
        ),
        ParameterGroup(name: "norms and biases", learningRate: rates.towers, weightDecay: 0),
        ParameterGroup(name: "scales", learningRate: rates.scale, weightDecay: 0),
      ],
      tensors
    )
  }

  /// Matrices decay; biases, norms, positions and single rows do not.
  private static func decays(_ parameter: Parameter) -> Bool {
    parameter.rows > 1 && parameter.name.hasSuffix(".weight")
  }

  /// Keeps the scales within their limit.
  package func clamp() {
    for tensor in [logScale, denseScale] {
      guard let tensor else { continue }
      tensor.values[0, 0] = min(tensor.values[0, 0], Self.largestLogScale)
    }
  }

  /// 1 / exp(p).
  package var temperature: Double { exp(-Double(logScale.values[0, 0])) }

  // MARK: - Passes

  /// Adds the gradients of a batch.
  ///
  /// - Parameters:
  ///   - batch: what is seen.
  ///   - denseWeight: multiplies the gradients of patches and words.
  /// - Returns: losses without weights.
  /// - Throws: what the layers throw.
  package func accumulate(
    _ batch: ContrastiveBatch,
    denseWeight: Double
  ) throws -> ContrastiveLosses {
    let (pictures, patches, width) = (batch.pictures, encoder.patches, tower.jointWidth)
    let isDense = denseScale != nil && !batch.words.isEmpty
    let x = try room("x", pictures, width)
    let dx = try room("dx", pictures, width)
    let points = isDense ? try room("points", pictures * patches, width) : nil
    let dpoints = isDense ? try room("dpoints", pictures * patches, width) : nil
    try pictureTower.forward(
      pictures: pictures,
      mode: .keep,
      into: x,
      patchPoints: points,
      context,
      patches: batch.fill
    )
    let texts = try textTower.batch(batch.texts + (isDense ? batch.words : []))
    let count = batch.texts.count
    let t = try room("t", count + (isDense ? batch.words.count : 0), width)
    let dt = try room("dt", t.rows, width)
    try textTower.forward(texts, mode: .keep, into: t, context)
    dx.fill(0)
    dt.fill(0)
    var losses = ContrastiveLosses()
    losses.rows = pictures * encoder.rows + texts.rows
    losses.pairs = try pairs(x, t.rows(0..<count), dx, dt.rows(0..<count))
    if let points, let dpoints, let denseScale {
      dpoints.fill(0)
      let result = try PatchWordLoss(on: execution).run(
        points,
        t.rows(count..<t.rows),
        shown: batch.shown,
        logScale: denseScale.values[0, 0],
        weight: Float(denseWeight),
        dpatches: dpoints,
        dwords: dt.rows(count..<t.rows)
      )
      losses.patches = result.loss
      denseScale.addGradient(result.logScaleGradient)
    }
    try textTower.backward(dt, texts, mode: .keep, context)
    try pictureTower.backward(dx, patchPoints: dpoints, mode: .keep, context)
    return losses
  }

  /// The loss of pictures and texts, with its gradients.
  private func pairs(
    _ x: MatrixView<Float>,
    _ t: MatrixView<Float>,
    _ dx: MatrixView<Float>,
    _ dt: MatrixView<Float>
  ) throws -> Double {
    let p = logScale.values[0, 0]
    guard let logBias else {
      let result = try ContrastiveLoss(on: execution).run(
        x,
        t,
        temperature: .logScale(p),
        dx: dx,
        dt: dt
      )
      logScale.addGradient(result.temperatureGradient)
      return result.loss
    }
    let result = try SigmoidLoss(on: execution).run(
      x,
      t,
      logScale: p,
      bias: logBias.values[0, 0],
      dx: dx,
      dt: dt
    )
    logScale.addGradient(result.logScaleGradient)
    logBias.addGradient(result.biasGradient)
    return result.loss
  }

  /// Places texts in the joint space.
  ///
  /// - Returns: `[texts, jointWidth]`, not normalised, in memory of its own.
  /// - Throws: what the layers throw.
  package func points(of texts: [[Int32]]) throws -> MatrixView<Float> {
    let points = try MatrixView<Float>(rows: texts.count, columns: tower.jointWidth)
    for start in stride(from: 0, to: texts.count, by: Self.chunk) {
      let part = start..<min(start + Self.chunk, texts.count)
      try textTower.forward(
        try textTower.batch(Array(texts[part])),
        mode: .keep,
        isFinal: true,
        into: points.rows(part),
        context
      )
    }
    return points
  }

  /// Places the patches of pictures in the joint space.
  ///
  /// - Parameters:
  ///   - pictures: number of pictures.
  ///   - fill: writes their patches.
  /// - Returns: `[pictures · patches, jointWidth]`, not normalised, in memory that the next pass uses.
  /// - Throws: what the layers throw.
  package func patchPoints(
    of pictures: Int,
    fill: (MatrixView<Float>) -> Void
  ) throws -> MatrixView<Float> {
    let points = try room("points", pictures * encoder.patches, tower.jointWidth)
    try pictureTower.forward(
      pictures: pictures,
      mode: .keep,
      isFinal: true,
      into: try room("x", pictures, tower.jointWidth),
      patchPoints: points,
      context,
      patches: fill
    )
    return points
  }

  /// Texts that are placed together.
  private static let chunk = 256

  /// Room that passes use again and again.
  private func room(_ name: String, _ rows: Int, _ columns: Int) throws -> MatrixView<Float> {
    if let room = rooms[name], room.rows >= rows { return room.rows(0..<rows) }
    let room = try MatrixView<Float>(rows: rows, columns: columns)
    rooms[name] = room
    return room
  }
}

extension ContrastiveModel {
  /// Bytes that values, gradients, moments and the activations of a step take, by what they are for.
  package func memory(
    batch: Int,
    words: Int
  ) -> [(what: String, bytes: Int)] {
    let count = parameters.all.reduce(0) { $0 + $1.count }
    let (rows, width) = (batch * encoder.rows, tower.jointWidth)
    let pictures = pictureTower.stack.byteCount(
      rows: rows,
      mode: .keep,
      precision: execution.precision
    )
    // Rows before and behind the blocks: patches, norms, and what the pooling head does to each row.
    let head = encoder.hasPoolingHead ? 8 * encoder.hidden + 3 * encoder.ffn : 4 * encoder.hidden
    let ends = rows * (encoder.patchValues + head + 6 * width) * 4
    let texts = textTower.stack.byteCount(
      rows: (batch + words) * tower.context,
      mode: .keep,
      precision: execution.precision
    )
    return [
      ("towers: values, gradients, two moments", count * 16),
      ("vision encoder: activations", pictures + ends),
      ("text tower: activations", texts),
    ]
  }
}

extension OwnTensor {
  /// Adds to the gradient of a tensor of one number.
  fileprivate func addGradient(_ value: Double) { gradient?[0, 0] += Float(value) }
}
