// SPDX-License-Identifier: Apache-2.0
// Which source pixels make an output pixel, with fixed-point weights equal to Pillow's.

/// The source pixels that each output pixel of one axis is made of, with their weights.
///
/// The axis is that of a canvas on which a picture covers a part. Weights of the picture's pixels are
/// listed; those of pixels around it, which are all of one colour, are only summed.
package struct ResampleTaps: Sendable, Equatable {
  /// Fractional bits of a weight.
  package static let fractionBits = 22

  /// Index in the picture of each output's first pixel.
  package private(set) var starts: [Int] = []

  /// Index in `weights` of each output's first weight, and at the end their number.
  package private(set) var offsets: [Int] = [0]

  /// All outputs' weights in fixed point, one output after the other.
  package private(set) var weights: [Int32] = []

  /// Each output's sum of weights outside the picture, in fixed point.
  package private(set) var outsideWeights: [Int32] = []

  /// Largest number of picture pixels in one output.
  package private(set) var maxCount = 0

  /// Weights for resampling `input` pixels to `output`, of which only `kept` are wanted.
  ///
  /// - Parameters:
  ///   - filter: the kernel.
  ///   - input: length of the canvas in pixels.
  ///   - output: length of the resampled canvas in pixels.
  ///   - kept: the outputs to prepare.
  ///   - picture: the part of the canvas that the picture covers.
  /// - Precondition: both lengths are at least 1 and the ranges lie within them.
  /// - Complexity: O(kept · max(1, input / output)).
  /// - Source: reference.md E.2; Pillow `precompute_coeffs` and `normalize_coeffs_8bpc`.
  package init(
    filter: ResampleFilter,
    input: Int,
    output: Int,
    kept: Range<Int>,
    picture: Range<Int>
  ) {
    precondition(input >= 1 && output >= 1, "resampling \(input) to \(output) pixels")
    precondition(
      kept.lowerBound >= 0 && kept.upperBound <= output,
      "outputs \(kept) of \(output)"
    )
    precondition(
      picture.lowerBound >= 0 && picture.upperBound <= input,
      "picture \(picture) of \(input)"
    )
    let scale = Double(input) / Double(output)
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    let inverseScale = 1 / filterScale

    var exact: [Double] = []
    for index in kept {
      let centre = (Double(index) + 0.5) * scale
      // Truncation differs from rounding down only below zero, which is cut off anyway.
      let window =
        max(Int(centre - support + 0.5), 0)..<min(Int(centre + support + 0.5), input)
      exact.removeAll(keepingCapacity: true)
      var sum = 0.0
      for source in window {
        let weight = filter.weight(at: (Double(source) - centre + 0.5) * inverseScale)
        exact.append(weight)
        sum += weight
      }
      append(exact, sum: sum, window: window, picture: picture)
    }
  }

  /// Number of outputs.
  package var count: Int { starts.count }

  /// The weights of output `index` of the kept ones.
  package subscript(index: Int) -> ArraySlice<Int32> {
    weights[offsets[index]..<offsets[index + 1]]
  }

  /// Adds one output from its weights before normalisation.
  private mutating func append(
    _ exact: [Double],
    sum: Double,
    window: Range<Int>,
    picture: Range<Int>
  ) {
    var outside: Int32 = 0
    for (source, weight) in zip(window, exact) {
      let fixed = ResampleTaps.fixedPoint(sum != 0 ? weight / sum : weight)
      if picture.contains(source) {
        weights.append(fixed)
      } else {
        outside &+= fixed
      }
    }
    let shared = window.clamped(to: picture)
    starts.append(shared.lowerBound - picture.lowerBound)
    offsets.append(weights.count)
    outsideWeights.append(outside)
    maxCount = max(maxCount, shared.count)
  }

  private static func fixedPoint(_ weight: Double) -> Int32 {
    let scaled = weight * Double(1 << fractionBits)
    return Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
  }
}
