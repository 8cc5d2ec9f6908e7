// SPDX-License-Identifier: Apache-2.0
// A prompt as the language model takes it: token ids and visual tokens in order.

package import SEATensor

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

  /// Stands for a picture in a list of ids.
  ///
  /// Source: reference.md A.3.
  package static let imagePlaceholder: Int32 = -200

  /// The runs in order.
  package let segments: [Segment]

  /// Positions of the prompt.
  package var count: Int { segments.reduce(0) { $0 + $1.count } }

  /// A prompt of the given runs.
  package init(_ segments: [Segment]) {
    self.segments = segments
  }

  /// Replaces each placeholder in `ids` by the visual tokens of the next picture.
  ///
  /// - Throws: `RuntimeError.images` unless there is one picture for each placeholder.
  package init(ids: [Int32], images: [MatrixView<Float>]) throws(RuntimeError) {
    let placeholders = ids.count { $0 == Self.imagePlaceholder }
    guard placeholders == images.count else {
      throw .images(placeholders: placeholders, given: images.count)
    }
    var segments: [Segment] = []
    var next = 0
    var rest = ids[...]
    while let place = rest.firstIndex(of: Self.imagePlaceholder) {
      if place > rest.startIndex { segments.append(.tokens(Array(rest[..<place]))) }
      segments.append(.visual(images[next]))
      next += 1
      rest = rest[(place + 1)...]
    }
    if !rest.isEmpty { segments.append(.tokens(Array(rest))) }
    self.segments = segments
  }
}
