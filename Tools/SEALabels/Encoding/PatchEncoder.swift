// SPDX-License-Identifier: Apache-2.0
// A picture's patches as directions of the joint space.

import SEAImage
import SEAModel
package import SEARuntime
package import SEATensor

/// An encoder at work, for one picture at a time.
package final class PatchEncoder {
  private let vision: VisionEncoder
  private let recipe: ImageRecipe
  private let form: PatchForm
  private let scratch: EncoderScratch
  private let execution: Execution

  /// Working memory for one kind of feature.
  ///
  /// - Throws: `LabelError.encoder` for a kind that the encoder has not, `RuntimeError.file`.
  package init(
    _ encoder: LabelEncoder,
    feature: LabelFeature,
    on execution: Execution
  ) throws {
    try feature.check(encoder.encoder, path: encoder.path)
    vision = encoder.vision
    recipe = encoder.recipe
    self.execution = execution
    form = feature.form(for: encoder.encoder)
    scratch = try EncoderScratch(encoder.encoder, threads: execution.pool.threads)
  }

  /// Working memory for the usual kind of feature of an opened model, for measuring.
  ///
  /// - Throws: `RuntimeError.missingPart`, `LabelError.encoder` without a joint space.
  package init(_ model: Model, on execution: Execution) throws {
    vision = try model.requireEncoder()
    guard let recipe = model.description.recipe else {
      throw RuntimeError.missingPart(name: "image recipe", model: model.path)
    }
    let feature = LabelFeature.standard(for: vision.encoder)
    try feature.check(vision.encoder, path: model.path)
    self.recipe = recipe
    self.execution = execution
    form = feature.form(for: vision.encoder)
    scratch = try EncoderScratch(vision.encoder, threads: execution.pool.threads)
  }

  /// The patches of a picture file.
  ///
  /// - Returns: `[patches, joint]`, each row of length 1.
  /// - Throws: `ImageError`, `FileError`, or what encoding throws.
  package func directions(of bytes: ByteView, name: String) throws -> MatrixView<Float> {
    let image = try ImageFile.decode(bytes: bytes, name: name)
    return try directions(of: recipe.run(image).values)
  }

  /// The patches of a picture as the encoder takes it, `[3, side, side]`.
  ///
  /// - Returns: `[patches, joint]`, each row of length 1.
  /// - Throws: `LabelError.noDirection`, `RuntimeError`.
  package func directions(of pixels: [Float]) throws -> MatrixView<Float> {
    let points = try vision.points(pixels, as: form, scratch: scratch, on: execution)
    try points.scaleToUnitLength(what: "a patch")
    return points
  }

  /// The patches of a picture file, and the picture itself by its class token.
  ///
  /// - Returns: `[patches, joint]` and `[1, joint]`, each row of length 1.
  /// - Throws: as for the patches alone.
  package func directionsAndPicture(
    of bytes: ByteView,
    name: String
  ) throws -> (patches: MatrixView<Float>, picture: MatrixView<Float>) {
    let image = try ImageFile.decode(bytes: bytes, name: name)
    let picture = try MatrixView<Float>(rows: 1, columns: vision.encoder.jointWidth ?? 0)
    let points = try vision.points(
      recipe.run(image).values,
      as: form,
      picture: picture,
      scratch: scratch,
      on: execution
    )
    try points.scaleToUnitLength(what: "a patch")
    try picture.scaleToUnitLength(what: "the picture")
    return (points, picture)
  }
}

extension MatrixView<Float> {
  /// Scales each row to length 1; the sum of squares is taken in double precision, in order.
  ///
  /// - Throws: `LabelError.noDirection` for a row of zeros or with a value that is not finite.
  func scaleToUnitLength(what: String) throws(LabelError) {
    for row in 0..<rows {
      let isSound = withRow(row) { values in
        var values = values
        var sum = 0.0
        for index in values.indices { sum += Double(values[index]) * Double(values[index]) }
        guard sum.isFinite, sum > 0 else { return false }
        let factor = 1 / sum.squareRoot()
        for index in values.indices { values[index] = Float(Double(values[index]) * factor) }
        return true
      }
      guard isSound else { throw .noDirection(what: "\(what) (row \(row))") }
    }
  }
}
