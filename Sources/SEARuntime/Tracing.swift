// SPDX-License-Identifier: Apache-2.0
// Hooks that show a forward pass from inside.

package import SEATensor

/// A place in the forward pass whose values can be seen.
package enum TracePoint: Sendable, Equatable {
  /// Rows after block `block`, 0: the embeddings; `[rows, width]`.
  case visionHidden(block: Int)
  /// What the adapter gets; `[patches, width]`.
  case visionFeatures
  /// Features of the scale of `ratio` tiles a side, put together; `[width, rows · columns]`.
  case scaleMap(ratio: Int)
  /// Patches in the joint space; `[patches, joint]`.
  case visionProjected
  /// The picture in the joint space; `[1, joint]`.
  case visionPooled
  /// What the language model gets; `[patches, hidden]`.
  case visualTokens
  /// Rows that enter the first block, every scale applied; `[tokens, hidden]`.
  case inputEmbeddings
  /// Output of block `block`, counted from 1, before the final norm; `[tokens, hidden]`.
  case languageHidden(block: Int)
  /// Scores of the next token; `[tokens, vocab]`.
  case logits

  /// The tensor name that `sea probe` writes.
  package var name: String {
    switch self {
    case .visionHidden(let block): "vision.hidden.\(block)"
    case .visionFeatures: "vision.features"
    case .scaleMap(let ratio): "s2.map.\(ratio)"
    case .visionProjected: "vision.projected"
    case .visionPooled: "vision.pooled"
    case .visualTokens: "visual_tokens"
    case .inputEmbeddings: "inputs_embeds"
    case .languageHidden(let block): "llm.hidden.\(block)"
    case .logits: "logits"
    }
  }
}

/// Receives the values at trace points.
///
/// A tensor may arrive in several calls, each with its next rows. The view is only valid during the
/// call.
package struct Tracing {
  /// Called with each piece of a tensor.
  package let record: (TracePoint, MatrixView<Float>) -> Void

  /// Tracing by a closure.
  package init(_ record: @escaping (TracePoint, MatrixView<Float>) -> Void) {
    self.record = record
  }
}
