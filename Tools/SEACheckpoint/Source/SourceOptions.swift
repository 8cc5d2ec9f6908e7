// SPDX-License-Identifier: Apache-2.0
// What the caller may decide about a checkpoint instead of its own files.

/// How visual tokens are scaled before the first block of a Gemma model.
package enum VisualScaleChoice: String, Sendable, CaseIterable {
  /// √hidden, except for checkpoints that say a library made them which scales text rows only.
  case automatic = "auto"
  /// √hidden, as text rows are.
  case squareRoot = "sqrt"
  /// 1: visual tokens as the adapter gives them.
  case one
}

/// Which rows of the encoder feed the adapter, in LLaVA's words.
package enum FeatureRows: String, Sendable, CaseIterable {
  /// Without the class token.
  case patch
  /// With the class token.
  case classAndPatch = "cls_patch"
}

/// Options for opening a checkpoint; nil leaves the decision to its files.
package struct SourceOptions: Sendable {
  /// Folder of the vision encoder.
  package var visionFolder: String?
  /// Folder of the language model.
  package var languageFolder: String?
  /// File with the adapter's weights.
  package var adapterFile: String?
  /// Folder of a low-rank fine-tuning to merge.
  package var lowRankFolder: String?
  /// Name of an image recipe.
  package var recipe: String?
  /// Name of a conversation template.
  package var template: String?
  package var visualScale = VisualScaleChoice.automatic
  /// Hidden state that feeds the adapter, negative from the end.
  package var selectLayer: Int?
  package var selectRows: FeatureRows?
  /// Take the text tower and the joint space of a whole CLIP or SigLIP checkpoint.
  package var takesTextTower = false

  package init() {}
}
