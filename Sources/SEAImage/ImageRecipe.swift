// SPDX-License-Identifier: Apache-2.0
// How a picture becomes the numbers that an encoder was trained on, as data.

/// The steps from a decoded picture to an encoder's input, in the order of the fields.
///
/// Every field is plain data, so a recipe can be stored in a model file and compared.
package struct ImageRecipe: Sendable, Equatable {
  /// A short name, stored beside labels and models made with the recipe.
  package var name: String

  /// Colour of the bars that first make the picture square, or nil for no bars.
  package var padFill: RGBColor?

  /// The size to resample to, or nil to keep the picture's own.
  package var resize: ImageResize?

  /// The centre part to keep; where the picture is smaller it is set in black.
  package var crop: ImageSize?

  /// The resampling kernel.
  package var filter: ResampleFilter

  /// What 8-bit values are multiplied with.
  package var rescale: Double

  /// Subtracted from each channel after scaling: `[3]`.
  package var mean: [Double]

  /// What each channel is then divided by: `[3]`.
  package var std: [Double]

  /// A recipe of the given steps.
  package init(
    name: String,
    padFill: RGBColor? = nil,
    resize: ImageResize?,
    crop: ImageSize? = nil,
    filter: ResampleFilter = .bicubic,
    rescale: Double = 1.0 / 255.0,
    mean: [Double],
    std: [Double]
  ) {
    self.name = name
    self.padFill = padFill
    self.resize = resize
    self.crop = crop
    self.filter = filter
    self.rescale = rescale
    self.mean = mean
    self.std = std
  }
}

/// A colour of three 8-bit channels.
package struct RGBColor: Sendable, Equatable {
  /// Red, 0...255.
  package var red: UInt8

  /// Green, 0...255.
  package var green: UInt8

  /// Blue, 0...255.
  package var blue: UInt8

  /// A colour of the given channels.
  package init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// The colour that LLaVA-style code pads with: 255 · mean, truncated, per channel.
  ///
  /// - Parameter mean: `[3]`, each within 0...1; nil comes back for anything else.
  /// - Source: LLaVA `expand2square(image, tuple(int(x * 255) for x in image_mean))`.
  package init?(truncatedMean mean: [Double]) {
    guard mean.count == 3, mean.allSatisfy({ (0...1).contains($0) }) else { return nil }
    self.init(
      red: UInt8(mean[0] * 255),
      green: UInt8(mean[1] * 255),
      blue: UInt8(mean[2] * 255)
    )
  }

  var channels: [UInt8] { [red, green, blue] }
}

/// A height and a width in pixels.
package struct ImageSize: Sendable, Equatable {
  /// Rows.
  package var height: Int

  /// Columns.
  package var width: Int

  /// A size of the given sides.
  package init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }
}

/// The size that a picture is resampled to.
package enum ImageResize: Sendable, Equatable {
  /// The shorter side becomes this many pixels, the longer one keeps the proportion, rounded down.
  case shortestEdge(Int)
  /// Both sides are given; proportions may change.
  case exact(ImageSize)
}

extension ImageRecipe {
  /// Longest side that a recipe may ask for, in pixels.
  package static let maxSide = 8192

  /// Most pixels that a recipe may produce.
  package static let maxOutputPixels = 16_777_216

  /// The size of every picture that the recipe makes, or nil when it depends on the picture.
  package var outputSize: ImageSize? {
    if let crop { return crop }
    guard case .exact(let size) = resize else {
      // Squared first, the picture has only one edge.
      guard case .shortestEdge(let side) = resize, padFill != nil else { return nil }
      return ImageSize(height: side, width: side)
    }
    return size
  }

  /// Refuses sizes and numbers that no picture could be processed with.
  ///
  /// - Throws: `ImageError.invalidRecipe`.
  package func validate() throws(ImageError) {
    switch resize {
    case .shortestEdge(let side): try ImageRecipe.check(side: side, field: "resize")
    case .exact(let size): try ImageRecipe.check(size, field: "resize")
    case nil: break
    }
    if let crop { try ImageRecipe.check(crop, field: "crop") }
    guard rescale.isFinite, rescale > 0 else {
      throw .invalidRecipe(field: "rescale", reason: "\(rescale), expected a positive number")
    }
    guard mean.count == 3, mean.allSatisfy({ Float($0).isFinite }) else {
      throw .invalidRecipe(field: "mean", reason: "\(mean), expected three finite numbers")
    }
    guard std.count == 3, std.allSatisfy({ Float($0).isFinite && Float($0) > 0 }) else {
      throw .invalidRecipe(field: "std", reason: "\(std), expected three positive numbers")
    }
  }

  private static func check(_ size: ImageSize, field: String) throws(ImageError) {
    try check(side: size.height, field: field)
    try check(side: size.width, field: field)
    guard size.height * size.width <= maxOutputPixels else {
      throw .invalidRecipe(
        field: field,
        reason: "\(size.width) x \(size.height) pixels, at most \(maxOutputPixels) pixels"
      )
    }
  }

  private static func check(side: Int, field: String) throws(ImageError) {
    guard (1...maxSide).contains(side) else {
      throw .invalidRecipe(field: field, reason: "\(side) pixels, expected 1 to \(maxSide)")
    }
  }
}
