// SPDX-License-Identifier: Apache-2.0
// A recipe at work: from a decoded picture to an encoder's input.

/// An encoder's input: one plane of values a channel.
package struct PixelTensor: Sendable, Equatable {
  /// Number of planes.
  package let channels: Int

  /// Rows of a plane.
  package let height: Int

  /// Columns of a plane.
  package let width: Int

  /// `[channels, height, width]`.
  package let values: [Float]

  /// A tensor of the given values.
  ///
  /// - Precondition: `values` has channels · height · width elements.
  package init(channels: Int = 3, height: Int, width: Int, values: [Float]) {
    precondition(
      values.count == channels * height * width,
      "\(values.count) values for \(channels) x \(height) x \(width)"
    )
    self.channels = channels
    self.height = height
    self.width = width
    self.values = values
  }
}

extension ImageRecipe {
  /// Runs all steps: bars, resampling, crop, scaling and normalisation.
  ///
  /// - Returns: `[3, height, width]`.
  /// - Throws: `ImageError.invalidRecipe`.
  package func run(_ image: PixelImage) throws(ImageError) -> PixelTensor {
    normalized(try resampled(image))
  }

  /// Runs the steps before scaling, on 8-bit values.
  ///
  /// - Returns: the picture that the encoder sees.
  /// - Throws: `ImageError.invalidRecipe`.
  package func resampled(_ image: PixelImage) throws(ImageError) -> PixelImage {
    let geometry = try RecipeGeometry(
      recipe: self,
      picture: ImageSize(height: image.height, width: image.width)
    )
    let kept = Resampler.resample(
      image,
      geometry: geometry,
      filter: filter,
      fill: padFill ?? RGBColor(red: 0, green: 0, blue: 0)
    )
    let output = geometry.output
    guard geometry.rows.count < output.height || geometry.columns.count < output.width else {
      return PixelImage(width: output.width, height: output.height, pixels: kept)
    }
    var pixels = [UInt8](repeating: 0, count: output.height * output.width * 3)
    let stride = geometry.columns.count * 3
    for row in 0..<geometry.rows.count {
      let target = ((geometry.inset.top + row) * output.width + geometry.inset.left) * 3
      pixels.replaceSubrange(
        target..<target + stride,
        with: kept[row * stride..<(row + 1) * stride]
      )
    }
    return PixelImage(width: output.width, height: output.height, pixels: pixels)
  }

  /// Scales and normalises 8-bit values: `(float(x · rescale) - mean) / std`.
  ///
  /// The product is taken in double and rounded once; the rest is in float, as in the path that
  /// checkpoints were trained with. A byte has 256 values, so each channel is one table.
  ///
  /// - Source: transformers `image_transforms.rescale` and `normalize` on arrays.
  private func normalized(_ image: PixelImage) -> PixelTensor {
    let plane = image.width * image.height
    var values: [Float] = []
    values.reserveCapacity(3 * plane)
    for channel in 0..<3 {
      let table = self.values(ofChannel: channel)
      for pixel in 0..<plane { values.append(table[Int(image.pixels[3 * pixel + channel])]) }
    }
    return PixelTensor(height: image.height, width: image.width, values: values)
  }

  /// What each of a channel's 256 values becomes.
  ///
  /// - Precondition: `channel` is 0, 1 or 2.
  package func values(ofChannel channel: Int) -> [Float] {
    let (mean, std) = (Float(mean[channel]), Float(std[channel]))
    return (0..<256).map { (Float(Double($0) * rescale) - mean) / std }
  }
}
