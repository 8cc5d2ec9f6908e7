// SPDX-License-Identifier: Apache-2.0
// Pictures of samples: features of a frozen encoder, or pixels for one that is trained.

internal import SEAFormat
package import SEAImage
package import SEALayers
internal import SEATensor

/// What the model is given for a picture's file.
package protocol PictureSource: AnyObject {
  /// The picture in a file.
  ///
  /// - Throws: `ImageError` or `FileError` when it is no picture, or what the encoder throws.
  func picture(ofFile path: String) throws -> TrainingPicture
}

extension PictureFeatures: PictureSource {
  package func picture(ofFile path: String) throws -> TrainingPicture {
    .features(try features(ofFile: path))
  }
}

/// Pixels, prepared anew each time: an encoder that learns sees the same picture differently.
package final class PicturePixels: PictureSource {
  private let recipe: ImageRecipe

  /// Pictures prepared by a recipe.
  package init(_ recipe: ImageRecipe) { self.recipe = recipe }

  package func picture(ofFile path: String) throws -> TrainingPicture {
    .pixels(try recipe.run(try ImageFile.read(path: path)).values)
  }
}
