// SPDX-License-Identifier: Apache-2.0
// What a model file says about itself in its metadata, beside the tensors.

/// The self-description of a model file.
package struct ModelManifest: Sendable, Equatable {
  /// The description of the model: parts, shapes, template, recipe.
  package var description: JSONValue
  /// How the weights are stored.
  package var quantization: JSONValue
  /// Where the weights come from.
  package var provenance: JSONValue

  /// A manifest.
  package init(
    description: JSONValue,
    quantization: JSONValue = .object(JSONObject()),
    provenance: JSONValue = .object(JSONObject()),
  ) {
    self.description = description
    self.quantization = quantization
    self.provenance = provenance
  }

  /// The metadata keys.
  enum Key {
    static let format = "format"
    static let version = "format_version"
    static let madeBy = "made_by"
    static let description = "description"
    static let quantization = "quantization"
    static let provenance = "provenance"
    static let shapes = "padded_shapes"
    static let checksums = "checksums"
    static let headerChecksum = "header_checksum"
  }

  /// What `format` holds.
  static let format = "sea"
  /// Eight digits that stand where a checksum will.
  static let blankChecksum = "00000000"

  /// The metadata texts of a model file.
  ///
  /// - Parameters:
  ///   - shapes: logical shapes of padded tensors.
  ///   - checksums: eight digits for each tensor, in order.
  /// - Returns: keys and texts in the order in which they are written.
  func metadata(
    shapes: JSONObject,
    checksums: JSONObject,
  ) -> [(key: String, value: String)] {
    [
      (Key.format, Self.format),
      (Key.version, String(ModelFile.formatVersion)),
      (Key.madeBy, ModelFile.toolVersion),
      (Key.description, description.serialized()),
      (Key.quantization, quantization.serialized()),
      (Key.provenance, provenance.serialized()),
      (Key.shapes, JSONValue.object(shapes).serialized()),
      (Key.checksums, JSONValue.object(checksums).serialized()),
      (Key.headerChecksum, Self.blankChecksum),
    ]
  }
}
