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

  /// An adapter through the given widths.
  package init(widths: [Int], activation: Activation) {
    self.widths = widths
    self.activation = activation
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
      activation: try fields.choice("activation")
    )
  }

  /// The fields as JSON.
  package var json: JSONValue {
    [
      "widths": .array(widths.map { .number(JSONNumber($0)) }),
      "activation": .string(activation.rawValue),
    ]
  }
}
