// SPDX-License-Identifier: Apache-2.0
// Pictures through a model's encoder.

package import SEAImage
import SEAModel
package import SEATensor

extension Model {
  /// A picture as the encoder takes it.
  ///
  /// - Throws: `RuntimeError.image` when the recipe refuses it, `.missingPart` without a recipe.
  package func pixels(of image: PixelImage) throws(RuntimeError) -> PixelTensor {
    guard let recipe = description.recipe else {
      throw .missingPart(name: "image recipe", model: path)
    }
    do throws(ImageError) {
      return try recipe.run(image)
    } catch {
      throw .image(error)
    }
  }

  /// Runs the encoder alone and gives its pages back afterwards.
  ///
  /// - Parameters:
  ///   - pixels: `[3, inputSide, inputSide]`, normalised, channel first.
  ///   - tracing: sees hidden states and features.
  ///   - execution: kernels and threads.
  /// - Returns: `[features, width]`.
  /// - Throws: `RuntimeError.input` for another size, `.missingPart` without an encoder.
  package func encode(
    _ pixels: [Float],
    tracing: Tracing? = nil,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let encoder = try requireEncoder()
    let scratch = try encoder.scratch(for: execution)
    defer { encoder.release() }
    return try encoder.encode(pixels, scratch: scratch, tracing: tracing, on: execution)
  }

  /// Runs the whole encoder up to the joint space and gives its pages back afterwards.
  ///
  /// - Parameters:
  ///   - pixels: `[3, side, side]`, normalised, channel first.
  ///   - tracing: sees hidden states, features, and the result.
  ///   - execution: kernels and threads.
  /// - Returns: the picture and its patches in the joint space.
  /// - Throws: `RuntimeError.input` for another size, `.missingPart` without encoder or joint space.
  package func encodeJoint(
    _ pixels: [Float],
    tracing: Tracing? = nil,
    on execution: Execution
  ) throws(RuntimeError) -> JointFeatures {
    let encoder = try requireEncoder()
    guard let joint = encoder.joint else {
      throw .missingPart(name: "joint space", model: path)
    }
    let scratch = try encoder.scratch(for: execution)
    defer { encoder.release() }
    return try encoder.encode(
      pixels,
      to: joint,
      scratch: scratch,
      tracing: tracing,
      on: execution
    )
  }
}
