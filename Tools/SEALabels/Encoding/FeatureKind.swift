// SPDX-License-Identifier: Apache-2.0
// Which features of an encoder are compared with words, and with which sign.

package import SEAFormat
package import SEAModel
package import SEARuntime

/// The kinds of feature by name.
///
/// - Source: reference.md G.2.
package enum FeatureKind: String, Sendable, CaseIterable {
  /// Final rows, normed and, for CLIP, projected.
  case raw
  /// The last block's rows attend to themselves alone (CLIP).
  case maskclip
  /// A path beside the last six blocks in which values attend to values (CLIP).
  case surgery
  /// Each row through the pooling head by itself (SigLIP).
  case mapValue = "map_value"

  /// Blocks that `surgery` changes.
  package static let surgeryBlocks = 6
}

/// The sign of a score.
package enum ScoreSign: String, Sendable, CaseIterable {
  /// Score = −cosine.
  case negative = "neg"
  /// Score = cosine.
  case positive = "pos"

  /// What a cosine is multiplied with.
  package var factor: Float { self == .negative ? -1 : 1 }
}

/// A kind of feature with its options.
package struct LabelFeature: Sendable, Equatable {
  package var kind: FeatureKind
  /// `maskclip`: the last block's residual is kept.
  package var keepsResidual = true
  /// `maskclip`: the last block's MLP is kept.
  package var keepsFeedForward = true
  /// `surgery`: what all words share in a picture is taken from their scores.
  package var removesRedundancy = false

  /// A kind with all parts kept.
  package init(_ kind: FeatureKind) { self.kind = kind }

  /// What an encoder's labels are made of unless told otherwise.
  package static func standard(for encoder: EncoderDescription) -> LabelFeature {
    LabelFeature(encoder.hasPoolingHead ? .mapValue : .raw)
  }

  /// The sign that the method's table gives the kind on an encoder.
  package func tableSign(for encoder: EncoderDescription) -> ScoreSign {
    kind == .raw && !encoder.hasPoolingHead ? .negative : .positive
  }

  /// Refuses kinds that the encoder has not.
  ///
  /// - Throws: `LabelError.encoder`.
  package func check(_ encoder: EncoderDescription, path: String) throws(LabelError) {
    guard encoder.jointWidth != nil else {
      throw .encoder(
        path: path,
        problem: "its vision encoder does not lead to a joint space; CLIP's or SigLIP's does"
      )
    }
    let hasHead = encoder.hasPoolingHead
    switch kind {
    case .raw: break
    case .mapValue:
      guard hasHead else {
        throw .encoder(path: path, problem: "--feature map_value needs SigLIP's pooling head")
      }
    case .maskclip, .surgery:
      let needed = kind == .surgery ? Self.surgeryBlocks(of: encoder) : 1
      guard !hasHead, needed <= encoder.blocks, needed > 0 else {
        throw .encoder(path: path, problem: "--feature \(kind.rawValue) is for CLIP")
      }
    }
  }

  /// Six blocks, or all of an encoder that is not as deep.
  private static func surgeryBlocks(of encoder: EncoderDescription) -> Int {
    min(FeatureKind.surgeryBlocks, encoder.blocks)
  }

  /// The form that the runtime computes.
  package func form(for encoder: EncoderDescription) -> PatchForm {
    switch kind {
    case .raw: .raw
    case .maskclip:
      .selfAttending(keepsResidual: keepsResidual, keepsFeedForward: keepsFeedForward)
    case .surgery: .valueAttending(blocks: Self.surgeryBlocks(of: encoder))
    case .mapValue: .pooledAlone
    }
  }

  /// The fields in a label file.
  package var json: JSONValue {
    kind == .maskclip
      ? [
        "kind": .string(kind.rawValue), "keeps_residual": .bool(keepsResidual),
        "keeps_feed_forward": .bool(keepsFeedForward),
      ]
      : removesRedundancy
        ? ["kind": .string(kind.rawValue), "removes_redundancy": true]
        : ["kind": .string(kind.rawValue)]
  }
}
