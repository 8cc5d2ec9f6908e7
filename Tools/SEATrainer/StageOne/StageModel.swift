// SPDX-License-Identifier: Apache-2.0
// What stage 1 asks of a model: features of pictures, and losses with their gradients.

package import SEALayers
package import SEATensor

/// A model whose adapter is trained.
package protocol StageModel: AnyObject {
  /// The tensors that are trained, in a fixed order.
  var stageTensors: [any TrainedTensor] { get }

  /// What the frozen encoder makes of pictures, `[features, featureWidth]` each.
  ///
  /// - Parameter pictures: `[3, side, side]`, normalised, channel first.
  /// - Returns: rows in memory of their own.
  /// - Throws: what the layers throw.
  func stageFeatures(of pictures: [[Float]]) throws -> [MatrixView<Float>]

  /// Adds the gradients of some samples.
  ///
  /// - Parameters:
  ///   - samples: sequences with the features of their pictures.
  ///   - pass: weights of the losses.
  ///   - alignment: sees the adapter's rows and adds dL/d rows of losses of its own.
  ///   - onGradient: told of each tensor whose gradient is complete and whose values this pass no
  ///     longer needs; nil: nobody is.
  /// - Returns: losses and counts.
  /// - Throws: what the layers or the closures throw.
  func stagePass(
    _ samples: [TrainingSample],
    _ pass: PassOptions,
    alignment: ((VisualTokens) throws -> Void)?,
    onGradient: ((any TrainedTensor) throws -> Void)?
  ) throws -> PassResult
}

/// The loss of pairs of rows, with its gradients.
package protocol AlignmentLoss {
  /// The symmetric contrastive loss of row i of `visual` with row i of `text`.
  ///
  /// - Parameters:
  ///   - visual: `[pairs, hidden]`.
  ///   - text: `[pairs, hidden]`.
  ///   - tau: the temperature.
  ///   - weight: multiplies both gradients, not the loss.
  ///   - gradient: `[pairs, hidden]`; dL/d visual is added to it.
  /// - Returns: the loss and dL/dτ.
  /// - Throws: what the layers throw.
  func evaluate(
    visual: MatrixView<Float>,
    text: MatrixView<Float>,
    tau: Double,
    weight: Float,
    gradient: MatrixView<Float>
  ) throws -> (loss: Double, tauSlope: Double)
}
