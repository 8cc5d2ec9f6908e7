// SPDX-License-Identifier: Apache-2.0
// What a vision encoder is: its sizes, its quirks as fields, and which of its rows feed the adapter.

package import SEAFormat
package import SEATensor

/// Which hidden state of the encoder is the patch feature.
package struct FeatureSelection: Sendable, Equatable {
  /// Blocks that are evaluated; 0 selects the embeddings.
  package var layer: Int
  /// Apply the encoder's final norm to every row.
  package var appliesFinalNorm: Bool
  /// Leave out row 0: CLIP's class token, or the first patch where a framework cut it by mistake.
  package var dropsFirst: Bool

  /// The three fields that published conventions differ in (reference.md B.2).
  package init(layer: Int, appliesFinalNorm: Bool, dropsFirst: Bool) {
    self.layer = layer
    self.appliesFinalNorm = appliesFinalNorm
    self.dropsFirst = dropsFirst
  }
}

/// A vision transformer over square patches (CLIP, SigLIP).
package struct EncoderDescription: Sendable, Equatable {
  /// Name of the family, for people.
  package var family: String
  /// Input side in pixels.
  package var imageSide: Int
  /// Patch side in pixels; pixels beyond the last whole patch are never read.
  package var patchSide: Int
  package var hidden: Int
  /// Blocks that are stored.
  package var blocks: Int
  package var heads: Int
  package var ffn: Int
  package var activation: Activation
  package var epsilon: Double
  /// A learned row stands before the patches.
  package var hasClassToken: Bool
  package var hasPatchBias: Bool
  /// A norm stands before block 1.
  package var hasPreNorm: Bool
  /// The final norm is stored.
  package var hasFinalNorm: Bool
  package var selection: FeatureSelection
  /// Sides in pixels at which a picture is seen; empty: at `imageSide` alone.
  ///
  /// Ascending multiples of `imageSide`, which is the first of them. The features of all scales stand
  /// side by side.
  package var scales: [Int]
  /// Width of the joint space that a projection without bias leads to; nil: there is none.
  package var projection: Int?
  /// A learned query attends over the final rows: the joint space without a projection.
  package var hasPoolingHead: Bool

  /// Memberwise; see the properties.
  package init(
    family: String,
    imageSide: Int,
    patchSide: Int,
    hidden: Int,
    blocks: Int,
    heads: Int,
    ffn: Int,
    activation: Activation,
    epsilon: Double,
    hasClassToken: Bool,
    hasPatchBias: Bool,
    hasPreNorm: Bool,
    hasFinalNorm: Bool,
    selection: FeatureSelection,
    scales: [Int] = [],
    projection: Int? = nil,
    hasPoolingHead: Bool = false
  ) {
    self.family = family
    self.imageSide = imageSide
    self.patchSide = patchSide
    self.hidden = hidden
    self.blocks = blocks
    self.heads = heads
    self.ffn = ffn
    self.activation = activation
    self.epsilon = epsilon
    self.hasClassToken = hasClassToken
    self.hasPatchBias = hasPatchBias
    self.hasPreNorm = hasPreNorm
    self.hasFinalNorm = hasFinalNorm
    self.selection = selection
    self.scales = scales
    self.projection = projection
    self.hasPoolingHead = hasPoolingHead
  }

  /// Patches along one side.
  package var gridSide: Int { imageSide / patchSide }
  /// Patches of one image.
  package var patches: Int { gridSide * gridSide }
  /// Rows inside the encoder: patches and the class token.
  package var rows: Int { patches + (hasClassToken ? 1 : 0) }
  /// Rows that feed the adapter.
  package var features: Int { rows - (selection.dropsFirst ? 1 : 0) }
  /// Values of a feature: those of every scale.
  package var featureWidth: Int { hidden * max(scales.count, 1) }
  /// Side in pixels of the picture that the recipe makes.
  package var inputSide: Int { scales.last ?? imageSide }
  /// Width of the joint space, or nil when the encoder does not lead there.
  package var jointWidth: Int? { projection ?? (hasPoolingHead ? hidden : nil) }
  package var headDim: Int { hidden / heads }
  /// Values of one patch: 3 channels of `patchSide²`.
  package var patchValues: Int { 3 * patchSide * patchSide }
}

extension EncoderDescription {
  /// Reads the fields from JSON.
  ///
  /// Fields that older files lack are optional.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue, path: String = "vision") throws(ModelError) {
    let fields = FieldReader(json, path: path)
    let selection = FieldReader(try fields.value("selection"), path: "\(path).selection")
    self.init(
      family: try fields.string("family"),
      imageSide: try fields.int("image_side", in: 1...8192),
      patchSide: try fields.int("patch_side", in: 1...1024),
      hidden: try fields.int("hidden", in: 1...65_536),
      blocks: try fields.int("blocks", in: 0...1024),
      heads: try fields.int("heads", in: 1...1024),
      ffn: try fields.int("ffn", in: 1...262_144),
      activation: try fields.choice("activation"),
      epsilon: try fields.positive("epsilon"),
      hasClassToken: try fields.bool("class_token"),
      hasPatchBias: try fields.bool("patch_bias"),
      hasPreNorm: try fields.bool("pre_norm"),
      hasFinalNorm: try fields.bool("final_norm"),
      selection: FeatureSelection(
        layer: try selection.int("layer", in: 0...1024),
        appliesFinalNorm: try selection.bool("applies_final_norm"),
        dropsFirst: try selection.bool("drops_first")
      ),
      scales: fields.optional("scales") == nil
        ? [] : try fields.ints("scales", in: 1...8192, count: 1...8),
      projection: fields.optional("projection") == nil
        ? nil : try fields.int("projection", in: 1...65_536),
      hasPoolingHead: fields.optional("pooling_head") == nil
        ? false : try fields.bool("pooling_head")
    )
    try validate(path: path)
  }

  /// The fields as JSON.
  package var json: JSONValue {
    var fields: [(String, JSONValue)] = [
      ("family", .string(family)),
      ("image_side", .number(JSONNumber(imageSide))),
      ("patch_side", .number(JSONNumber(patchSide))),
      ("hidden", .number(JSONNumber(hidden))),
      ("blocks", .number(JSONNumber(blocks))),
      ("heads", .number(JSONNumber(heads))),
      ("ffn", .number(JSONNumber(ffn))),
      ("activation", .string(activation.rawValue)),
      ("epsilon", .number(JSONNumber(epsilon))),
      ("class_token", .bool(hasClassToken)),
      ("patch_bias", .bool(hasPatchBias)),
      ("pre_norm", .bool(hasPreNorm)),
      ("final_norm", .bool(hasFinalNorm)),
      (
        "selection",
        [
          "layer": .number(JSONNumber(selection.layer)),
          "applies_final_norm": .bool(selection.appliesFinalNorm),
          "drops_first": .bool(selection.dropsFirst),
        ]
      ),
    ]
    if !scales.isEmpty {
      fields.append(("scales", .array(scales.map { .number(JSONNumber($0)) })))
    }
    if let projection { fields.append(("projection", .number(JSONNumber(projection)))) }
    if hasPoolingHead { fields.append(("pooling_head", true)) }
    return .object(JSONObject(fields))
  }

  /// Checks what single fields cannot: divisibility, grid size, selection.
  ///
  /// - Throws: `ModelError.invalid`.
  package func validate(path: String = "vision") throws(ModelError) {
    guard patchSide <= imageSide else {
      throw .invalid(
        field: "\(path).patch_side",
        found: "\(patchSide)",
        expected: "at most the image side \(imageSide)"
      )
    }
    guard patches <= 65_536 else {
      throw .invalid(
        field: "\(path).patch_side",
        found: "\(patchSide)",
        expected: "at most 65,536 patches, not \(patches)"
      )
    }
    guard hidden % heads == 0 else {
      throw .invalid(
        field: "\(path).heads",
        found: "\(heads)",
        expected: "a divisor of the hidden size \(hidden)"
      )
    }
    guard headDim <= 256 else {
      throw .invalid(
        field: "\(path).heads",
        found: "\(heads)",
        expected: "a head dim of at most 256, not \(headDim)"
      )
    }
    guard selection.layer <= blocks else {
      throw .invalid(
        field: "\(path).selection.layer",
        found: "\(selection.layer)",
        expected: "at most \(blocks) blocks"
      )
    }
    guard hasFinalNorm || !selection.appliesFinalNorm else {
      throw .invalid(
        field: "\(path).selection.applies_final_norm",
        found: "true",
        expected: "false without a final norm"
      )
    }
    guard features > 0 else {
      throw .invalid(
        field: "\(path).selection.drops_first",
        found: "true",
        expected: "at least one remaining row"
      )
    }
    try validateScales(path: path)
    try validateJointSpace(path: path)
  }

  private func validateScales(path: String) throws(ModelError) {
    guard !scales.isEmpty else { return }
    let isAscending = zip(scales, scales.dropFirst()).allSatisfy { $0 < $1 }
    guard scales[0] == imageSide, isAscending, scales.allSatisfy({ $0 % imageSide == 0 }) else {
      throw .invalid(
        field: "\(path).scales",
        found: "\(scales)",
        expected: "ascending multiples of the image side \(imageSide), starting with it"
      )
    }
    guard features == patches else {
      throw .invalid(
        field: "\(path).selection.drops_first",
        found: "\(selection.dropsFirst)",
        expected: "exactly the patches where several scales are joined"
      )
    }
  }

  private func validateJointSpace(path: String) throws(ModelError) {
    guard jointWidth != nil else { return }
    let field = "\(path).\(projection == nil ? "pooling_head" : "projection")"
    guard hasFinalNorm else {
      throw .invalid(field: field, found: "present", expected: "none without a final norm")
    }
    guard scales.isEmpty else {
      throw .invalid(field: field, found: "present", expected: "none with several scales")
    }
    guard projection == nil || hasClassToken && !hasPoolingHead else {
      throw .invalid(
        field: field,
        found: "present",
        expected: "none without a class token or beside a pooling head"
      )
    }
  }
}
