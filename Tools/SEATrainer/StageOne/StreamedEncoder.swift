// SPDX-License-Identifier: Apache-2.0
// Encoders that the float layers lack, several scales of a picture, through the runtime's layers.

package import SEACheckpoint
internal import SEAModel
package import SEARuntime
package import SEATensor

/// A frozen encoder whose weights are read when they are used.
///
/// Slower than one that is resident, and run once a picture at most: features are cached.
package final class StreamedEncoder {
  private let encoder: VisionEncoder
  private let scratch: EncoderScratch
  private let execution: Execution

  /// Binds the encoder of a checkpoint.
  ///
  /// - Throws: `RuntimeError`, or `TrainerError.usage` when there is no encoder.
  package init(_ source: SourceModel, on execution: Execution) throws {
    guard let description = source.model.encoder else {
      throw TrainerError.usage("no vision encoder: --vision names its folder")
    }
    encoder = try VisionEncoder(description, weights: StreamedWeights(source))
    scratch = try EncoderScratch(description, threads: execution.pool.threads)
    self.execution = execution
  }

  /// Features of a picture, `[features, featureWidth]`, in memory of their own.
  ///
  /// - Throws: `RuntimeError`.
  package func features(of pixels: [Float]) throws -> MatrixView<Float> {
    try encoder.encode(pixels, scratch: scratch, on: execution)
  }
}
