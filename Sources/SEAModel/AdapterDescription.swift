// SPDX-License-Identifier: Apache-2.0
// What an adapter is: the linear layers that map patch features to visual tokens.

package import SEAFormat
package import SEATensor

/// Linear layers with an activation between them; a single layer is LLaVA's `linear`.
package struct AdapterDescription: Sendable, Equatable {
  /// Widths from the encoder's features to the language model's hidden size; one more than layers.
  package var widths: [Int]
  /// Stands between two layers.
  package var activation: Activation
  /// Side of the square grid that the features are resampled to before the layers; nil: none.
  package var grid: Int?
  /// A learned row follows the visual tokens of each line of the grid.
  package var hasNewline: Bool
  /// Lines and columns of the grid that show nothing but padding are left out.
  package var cutsPadding: Bool

  /// An adapter through the given widths.
  package init(
    widths: [Int],
    activation: Activation,
    grid: Int? = nil,
    hasNewline: Bool = false,
    cutsPadding: Bool = false
  ) {
    self.widths = widths
    self.activation = activation
    self.grid = grid
    self.hasNewline = hasNewline
    self.cutsPadding = cutsPadding
  }

  /// Linear layers.
  package var layers: Int { widths.count - 1 }
  package var inputWidth: Int { widths.first ?? 0 }
  package var outputWidth: Int { widths.last ?? 0 }

  /// LLaVA's name: `linear` or `mlpNx_gelu`.
  package var name: String { layers == 1 ? "linear" : "mlp\(layers)x_gelu" }

  /// Reads the fields from JSON.
  ///
  /// - Throws: `ModelError` naming the field.
  package init(json: JSONValue, path: String = "adapter") throws(ModelError) {
    let fields = FieldReader(json, path: path)
    self.init(
      widths: try fields.ints("widths", in: 1...65_536, count: 2...17),
      activation: try fields.choice("activation"),
      grid: fields.optional("grid") == nil ? nil : try fields.int("grid", in: 1...256),
      hasNewline: fields.optional("newline") == nil ? false : try fields.bool("newline"),
      cutsPadding: fields.optional("cuts_padding") == nil
        ? false : try fields.bool("cuts_padding")
    )
  }

  /// The fields as JSON; those of a grid only where there is one.
  package var json: JSONValue {
    var fields: [(String, JSONValue)] = [
      ("widths", .array(widths.map { .number(JSONNumber($0)) })),
      ("activation", .string(activation.rawValue)),
    ]
    if let grid { fields.append(("grid", .number(JSONNumber(grid)))) }
    if hasNewline { fields.append(("newline", .bool(true))) }
    if cutsPadding { fields.append(("cuts_padding", .bool(true))) }
    return .object(JSONObject(fields))
  }
}
