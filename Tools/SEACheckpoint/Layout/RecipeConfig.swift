// SPDX-License-Identifier: Apache-2.0
// How pictures are prepared, from preprocessor_config.json and LLaVA's image_aspect_ratio.

internal import SEAFormat
internal import SEAImage

/// Reads image recipes.
///
/// - Source: reference.md E.3; the defaults are those of the CLIP and SigLIP image processors.
enum RecipeConfig {
  /// The recipe of a preprocessor_config.json.
  ///
  /// - Parameters:
  ///   - config: the file.
  ///   - family: decides what absent keys mean.
  ///   - side: the encoder's input side in pixels, the default size.
  /// - Returns: the recipe, with a preset's name if it equals one.
  /// - Throws: `CheckpointError` naming file and key.
  static func recipe(
    _ config: ConfigReader,
    family: EncoderFamily,
    side: Int,
  ) throws(CheckpointError) -> ImageRecipe {
    let isCLIP = family == .clip
    for key in ["do_rescale", "do_normalize", "do_resize"] {
      guard try config.bool(key, default: true) else {
        throw .unsupported(path: config.path, what: "\(config.field(key)) false")
      }
    }
    let resize = try size("size", config, family: family, default: side)
    var crop: ImageSize?
    if try config.bool("do_center_crop", default: isCLIP) {
      crop = try exactSize("crop_size", config) ?? ImageSize(height: side, width: side)
    }
    var recipe = ImageRecipe(
      name: "preprocessor_config",
      resize: resize,
      crop: crop,
      filter: try filter(config),
      rescale: try config.positive("rescale_factor", default: 1.0 / 255.0, atMost: 1),
      mean: try config.doubles("image_mean", count: 3)
        ?? (isCLIP ? ImageRecipe.clipMean : [0.5, 0.5, 0.5]),
      std: try config.doubles("image_std", count: 3)
        ?? (isCLIP ? ImageRecipe.clipStd : [0.5, 0.5, 0.5])
    )
    // Only this processor can make bars; for the others the key has another meaning.
    let kind = try config.string("image_processor_type") ?? ""
    if kind.hasPrefix("LlavaImageProcessor"), try config.bool("do_pad", default: false) {
      recipe.padFill = try padFill(recipe, config, key: "do_pad")
    }
    // Files write 1/255 with their own number of digits.
    if abs(recipe.rescale * 255 - 1) < 1e-6 { recipe.rescale = 1.0 / 255.0 }
    rename(&recipe, side: side)
    try validate(recipe, path: config.path)
    return recipe
  }

  /// The recipe for pictures of another side, as LLaVA changes the processor for the largest scale.
  static func resized(_ recipe: ImageRecipe, side: Int) -> ImageRecipe {
    var recipe = recipe
    let square = ImageSize(height: side, width: side)
    recipe.resize = if case .exact = recipe.resize { .exact(square) } else { .shortestEdge(side) }
    if recipe.crop != nil { recipe.crop = square }
    rename(&recipe, side: side)
    return recipe
  }

  /// The family's own recipe, for checkpoints without a preprocessor_config.json.
  static func standard(family: EncoderFamily, side: Int) -> ImageRecipe {
    family == .clip ? .clipSquare(side: side) : .siglip(side: side)
  }

  /// Adds what LLaVA code does before the processor, as `image_aspect_ratio` says.
  static func llava(
    _ base: ImageRecipe,
    _ config: ConfigReader,
    side: Int,
  ) throws(CheckpointError) -> ImageRecipe {
    let ratio = try config.string("image_aspect_ratio") ?? "square"
    switch ratio {
    case "square": return base
    case "pad":
      var recipe = base
      recipe.padFill = try padFill(base, config, key: "image_aspect_ratio")
      rename(&recipe, side: side)
      return recipe
    default:
      throw .unsupported(
        path: config.path,
        what: "image_aspect_ratio \"\(ratio.printable())\" (several tiles a picture)",
      )
    }
  }

  /// The colour of the bars: the mean, truncated.
  private static func padFill(
    _ recipe: ImageRecipe,
    _ config: ConfigReader,
    key: String,
  ) throws(CheckpointError) -> RGBColor {
    guard let fill = RGBColor(truncatedMean: recipe.mean) else {
      throw config.fault(key, "bars need means from 0 to 1, not \(recipe.mean)")
    }
    return fill
  }

  /// Gives the recipe the name of the preset it equals, if any.
  static func rename(_ recipe: inout ImageRecipe, side: Int) {
    for name in ImageRecipe.presetNames {
      guard var preset = ImageRecipe.named(name, side: side) else { continue }
      preset.name = recipe.name
      if preset == recipe {
        recipe.name = name
        return
      }
    }
    recipe.name = recipe.padFill == nil ? "preprocessor_config" : "preprocessor_config_pad"
  }

  private static func size(
    _ key: String,
    _ config: ConfigReader,
    family: EncoderFamily,
    default side: Int,
  ) throws(CheckpointError) -> ImageResize {
    guard let value = config.value(key) else {
      return family == .clip ? .shortestEdge(side) : .exact(ImageSize(height: side, width: side))
    }
    if value.object != nil, let fields = try config.object(key),
      fields.value("shortest_edge") != nil
    {
      let edge = try fields.int("shortest_edge", default: side, in: 1...ImageRecipe.maxSide)
      return .shortestEdge(edge)
    }
    if value.object == nil, family == .clip {
      return .shortestEdge(try config.int(key, default: side, in: 1...ImageRecipe.maxSide))
    }
    guard let size = try exactSize(key, config) else {
      throw config.fault(key, "expected a size")
    }
    return .exact(size)
  }

  /// A size given as one number or as height and width; nil when the key is absent.
  private static func exactSize(
    _ key: String,
    _ config: ConfigReader,
  ) throws(CheckpointError) -> ImageSize? {
    guard let value = config.value(key) else { return nil }
    let sides = 1...ImageRecipe.maxSide
    guard value.object != nil, let fields = try config.object(key) else {
      let side = try config.int(key, default: 0, in: sides)
      return ImageSize(height: side, width: side)
    }
    guard let height = try fields.optionalInt("height", in: sides),
      let width = try fields.optionalInt("width", in: sides)
    else { throw config.fault(key, "expected height and width") }
    return ImageSize(height: height, width: width)
  }

  /// The resampling filter by the number that PIL gives it.
  private static func filter(_ config: ConfigReader) throws(CheckpointError) -> ResampleFilter {
    let number = try config.int("resample", default: 3, in: 0...5)
    switch number {
    case 2: return .bilinear
    case 3: return .bicubic
    default:
      throw .unsupported(
        path: config.path,
        what: "resample \(number), only 2 (bilinear) and 3 (bicubic)",
      )
    }
  }

  private static func validate(_ recipe: ImageRecipe, path: String) throws(CheckpointError) {
    do {
      try recipe.validate()
    } catch {
      throw .malformed(path: path, problem: "\(error)")
    }
  }
}
