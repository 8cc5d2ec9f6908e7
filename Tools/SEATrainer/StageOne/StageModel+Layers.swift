// SPDX-License-Identifier: Apache-2.0
// The float layers as the model of stage 1.

internal import SEALabels
package import SEALayers
package import SEATensor

extension Parameter: TrainedTensor {
  package var trainedValues: TrainedValues {
    switch values {
    case .float32(let values): .float32(values)
    case .bfloat16(let values): .bfloat16(values)
    case .int8: preconditionFailure("int8 parameter '\(name)' is never trained")
    }
  }

  package func makeGradient() throws(TrainerError) {
    do throws(LayerError) {
      _ = try requireGradient()
    } catch {
      if case .file(let error) = error { throw .file(error) }
      throw .usage("\(error)")
    }
  }
}

extension TrainableModel: StageModel {
  package var stageTensors: [any TrainedTensor] { trained }

  package func stageFeatures(of pictures: [[Float]]) throws -> [MatrixView<Float>] {
    try features(of: pictures)
  }

  package func stagePass(
    _ samples: [TrainingSample],
    _ pass: PassOptions,
    alignment: ((VisualTokens) throws -> Void)?,
    onGradient: ((any TrainedTensor) throws -> Void)?
  ) throws -> PassResult {
    try forwardBackward(samples, pass: pass, alignment: alignment, onGradient: onGradient)
  }
}

/// The contrastive loss of the float layers.
package struct LayerAlignmentLoss: AlignmentLoss {
  private let loss: ContrastiveLoss

  /// The loss on an execution.
  package init(on execution: TrainingExecution) { loss = ContrastiveLoss(on: execution) }

  package func evaluate(
    visual: MatrixView<Float>,
    text: MatrixView<Float>,
    tau: Double,
    weight: Float,
    gradient: MatrixView<Float>
  ) throws -> (loss: Double, tauSlope: Double) {
    let result = try loss.run(
      visual,
      text,
      temperature: .tau(Float(tau)),
      weight: weight,
      dx: gradient
    )
    return (result.loss, result.temperatureGradient)
  }
}

extension TrainableModel {
  /// A hash of the encoder's values as they are held; nil where it is none of the parameters.
  ///
  /// Features depend on it alone, so runs with other adapters and language models share theirs.
  package var encoderFingerprint: String? {
    let own = parameters.all.filter { ModelSection(name: $0.name) == .encoder }
    guard !own.isEmpty else { return nil }
    var digest = Digest()
    for parameter in own {
      digest.update("\(parameter.name) \(parameter.rows) \(parameter.columns)\n")
      switch parameter.values {
      case .float32(let values): Self.update(&digest, values, bits: \.bitPattern)
      case .bfloat16(let values): Self.update(&digest, values, bits: \.self)
      case .int8: return nil
      }
    }
    return digest.hexadecimal
  }

  private static func update<Element: BitwiseCopyable, Bits: FixedWidthInteger>(
    _ digest: inout Digest,
    _ values: MatrixView<Element>,
    bits: (Element) -> Bits
  ) {
    var bytes: [UInt8] = []
    for row in 0..<values.rows {
      bytes.removeAll(keepingCapacity: true)
      values.withRow(row) { line in
        for index in 0..<line.count {
          let value = bits(line[index])
          for shift in stride(from: 0, to: Bits.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Bits(shift)))
          }
        }
      }
      digest.update(bytes)
    }
  }
}
