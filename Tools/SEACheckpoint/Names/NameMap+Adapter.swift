// SPDX-License-Identifier: Apache-2.0
// Names of the layers between encoder and language model.

extension NameMap {
  /// Translates the name of an adapter tensor; nil when it is not one.
  ///
  /// LLaVA and TinyLLaVA number the modules of a sequence in which every other one is the activation;
  /// the Hugging Face layout numbers its two layers from 1.
  static func adapter(_ name: String) -> NameMapping? {
    let inner = name.dropping("model.") ?? Substring(name)
    if inner == "image_newline" { return .tensor("adapter.newline") }
    let sequence =
      inner.dropping("mm_projector.") ?? inner.dropping("connector._connector.")
      ?? inner.dropping("_connector.")
    if let rest = sequence {
      if isLinear(rest) { return .tensor("adapter.0.\(rest)") }
      guard let (index, part) = block(rest, ""), index.isMultiple(of: 2), isLinear(part) else {
        return nil
      }
      return .tensor("adapter.\(index / 2).\(part)")
    }
    if let rest = inner.dropping("multi_modal_projector.linear_") {
      guard let (index, part) = block(rest, ""), index > 0, isLinear(part) else { return nil }
      return .tensor("adapter.\(index - 1).\(part)")
    }
    return nil
  }

  /// True for the two tensors of a linear layer.
  static func isLinear(_ name: Substring) -> Bool {
    name == "weight" || name == "bias"
  }
}
