// SPDX-License-Identifier: Apache-2.0
// The recipes that published checkpoints were trained with.

extension ImageRecipe {
  /// CLIP's channel means.
  package static let clipMean = [0.48145466, 0.4578275, 0.40821073]

  /// CLIP's channel standard deviations.
  package static let clipStd = [0.26862954, 0.26130258, 0.27577711]

  /// CLIP's mean colour as LLaVA-style code pads with it: 255 · mean, truncated.
  package static let clipFill = RGBColor(red: 122, green: 116, blue: 104)

  /// SigLIP's mean colour as LLaVA-style code pads with it: 255 · 0.5, truncated.
  package static let siglipFill = RGBColor(red: 127, green: 127, blue: 127)

  private static let halves = [0.5, 0.5, 0.5]

  /// Shortest edge to `side`, centre crop, CLIP's normalisation: LLaVA's `square`.
  package static func clipSquare(side: Int) -> ImageRecipe {
    ImageRecipe(
      name: "clip_square",
      resize: .shortestEdge(side),
      crop: ImageSize(height: side, width: side),
      mean: clipMean,
      std: clipStd
    )
  }

  /// Bars to a square, then as `clipSquare`: LLaVA's `pad`.
  package static func clipPad(side: Int) -> ImageRecipe {
    var recipe = clipSquare(side: side)
    recipe.name = "clip_pad"
    recipe.padFill = clipFill
    return recipe
  }

  /// `clipPad` at the largest scale of an encoder that sees several: LLaVA's S2.
  package static func s2(side: Int) -> ImageRecipe {
    var recipe = clipPad(side: side)
    recipe.name = "s2"
    return recipe
  }

  /// Both sides to `side` whatever the proportion, values to -1...1: Hugging Face's SigLIP.
  package static func siglip(side: Int) -> ImageRecipe {
    ImageRecipe(
      name: "siglip_hf",
      resize: .exact(ImageSize(height: side, width: side)),
      mean: halves,
      std: halves
    )
  }

  /// Bars to a square, then as `siglip`.
  ///
  /// - Parameters:
  ///   - side: the result's side in pixels.
  ///   - fill: colour of the bars.
  /// - Returns: the recipe named `siglip_pad`.
  package static func siglipPad(side: Int, fill: RGBColor = siglipFill) -> ImageRecipe {
    var recipe = siglip(side: side)
    recipe.name = "siglip_pad"
    recipe.padFill = fill
    return recipe
  }

  /// Bars of CLIP's mean colour, then as `siglip`: what the CAM wrapper feeds SigLIP.
  package static func camSiglip(side: Int) -> ImageRecipe {
    var recipe = siglipPad(side: side, fill: clipFill)
    recipe.name = "cam_siglip"
    return recipe
  }

  /// The names that `named(_:side:)` knows.
  package static let presetNames = [
    "clip_square", "clip_pad", "siglip_hf", "siglip_pad", "cam_siglip", "s2",
  ]

  /// The preset of the given name, or nil.
  ///
  /// - Parameters:
  ///   - name: one of `presetNames`.
  ///   - side: the encoder's image size in pixels.
  /// - Returns: the recipe, whose `name` is `name`.
  package static func named(_ name: String, side: Int) -> ImageRecipe? {
    switch name {
    case "clip_square": clipSquare(side: side)
    case "clip_pad": clipPad(side: side)
    case "siglip_hf": siglip(side: side)
    case "siglip_pad": siglipPad(side: side)
    case "cam_siglip": camSiglip(side: side)
    case "s2": s2(side: side)
    default: nil
    }
  }
}
