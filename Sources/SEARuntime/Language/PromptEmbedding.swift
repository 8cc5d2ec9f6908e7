// SPDX-License-Identifier: Apache-2.0
// A prompt as the language model takes it: token ids and visual tokens in order.

package import SEATensor
import SEAText

/// The spliced prompt; rows are looked up and scaled when a chunk of them is run.
package struct PromptEmbedding: Sendable {
  /// A run of positions of one origin.
  package enum Segment: Sendable {
    /// Tokens of the vocabulary.
    case tokens([Int32])
    /// Adapter outputs `[patches, hidden]`, scaled by the model's visual scale.
    case visual(MatrixView<Float>)
    /// Rows in the space of the embedding table `[tokens, hidden]`, scaled like looked-up ones.
    case table(MatrixView<Float>)

    /// Positions.
    package var count: Int {
      switch self {
      case .tokens(let ids): ids.count
      case .visual(let rows), .table(let rows): rows.rows
      }
    }
  }

  /// The runs in order.
  package let segments: [Segment]

  /// Positions of the prompt.
  package var count: Int { segments.reduce(0) { $0 + $1.count } }

  /// A prompt of the given runs.
  package init(_ segments: [Segment]) {
    self.segments = segments
  }

  /// Replaces each `Prompt.imageID` in `ids` by the visual tokens of the next picture.
  ///
  /// - Throws: `RuntimeError.images` unless there is one picture for each placeholder.
  package init(ids: [Int32], images: [MatrixView<Float>]) throws(RuntimeError) {
    let placeholders = ids.count { $0 == Prompt.imageID }
    guard placeholders == images.count else {
      throw .images(placeholders: placeholders, given: images.count)
    }
    var segments: [Segment] = []
    var next = 0
    var rest = ids[...]
    while let place = rest.firstIndex(of: Prompt.imageID) {
      if place > rest.startIndex { segments.append(.tokens(Array(rest[..<place]))) }
      segments.append(.visual(images[next]))
      next += 1
      rest = rest[(place + 1)...]
    }
    if !rest.isEmpty { segments.append(.tokens(Array(rest))) }
    self.segments = segments
  }

  /// The prompt without its first `count` positions.
  ///
  /// - Precondition: there are so many.
  package func dropping(first count: Int) -> PromptEmbedding {
    precondition(count >= 0 && count <= self.count, "\(count) of \(self.count) positions")
    var rest = count
    var kept: [Segment] = []
    for segment in segments {
      let cut = min(rest, segment.count)
      rest -= cut
      guard cut < segment.count else { continue }
      switch segment {
      case .tokens(let ids): kept.append(.tokens(Array(ids[cut...])))
      case .visual(let rows): kept.append(.visual(rows.rows(cut..<rows.rows)))
      case .table(let rows): kept.append(.table(rows.rows(cut..<rows.rows)))
      }
    }
    return PromptEmbedding(kept)
  }
}
