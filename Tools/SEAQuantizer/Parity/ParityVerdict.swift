// SPDX-License-Identifier: Apache-2.0
// What a comparison of a model file with its source found, and whether that is good enough.

package import SEAFormat
import SEAModel

/// The outcome of running a model file beside the weights it was made of.
package struct ParityVerdict: Sendable, Equatable {
  /// The coarsest storage of the file's matrices, which decides what is good enough.
  package enum Precision: String, Sendable {
    case float32 = "f32"
    case bfloat16 = "bf16"
    case int8 = "int8"
    case int4 = "int4"

    /// The coarsest storage in a plan.
    init(_ plan: TensorPlan) {
      let storages = Set(plan.matrices.map(\.storage))
      let isPlain = storages.isSubset(of: [.float32, .bfloat16])
      self =
        storages.contains(.int4)
        ? .int4 : !isPlain ? .int8 : storages.contains(.bfloat16) ? .bfloat16 : .float32
    }
  }

  /// Next-token distributions at the positions of the prompt.
  package struct Logits: Sendable, Equatable {
    /// Mean Kullback-Leibler divergence of the file's distribution from the source's, in nats.
    package var meanDivergence = 0.0
    /// The worst position's.
    package var worstDivergence = 0.0
    /// Mean cosine of the scores.
    package var meanCosine = 1.0
    /// Positions at which both put the same token first.
    package var agreed = 0
    /// Positions compared.
    package var positions = 0
  }

  package var precision: Precision
  /// Outputs of the encoder's blocks, the embeddings first.
  package var visionBlocks: [RowComparison] = []
  /// The rows that the adapter gets.
  package var features: RowComparison?
  /// The adapter's outputs.
  package var visualTokens: RowComparison?
  /// Outputs of the language model's blocks, the embeddings first.
  package var languageBlocks: [RowComparison] = []
  package var logits: Logits?

  /// A verdict on no parts yet.
  package init(precision: Precision) {
    self.precision = precision
  }
}

// MARK: - Limits

/// What each precision must reach; the reasons are in `Documentation/Quantization.md`.
package struct ParityLimits: Sendable, Equatable {
  /// Least mean cosine of features and visual tokens.
  package let cosine: Double
  /// Least mean cosine of the scores.
  package let logitsCosine: Double
  /// Largest mean divergence in nats.
  package let divergence: Double
  /// Least share of positions with the same first token.
  package let agreement: Double

  /// The limits of a precision.
  package init(_ precision: ParityVerdict.Precision) {
    switch precision {
    case .float32:
      self.init(cosine: 0.99999, logitsCosine: 0.99999, divergence: 1e-5, agreement: 0.96)
    case .bfloat16:
      self.init(cosine: 0.999, logitsCosine: 0.999, divergence: 0.01, agreement: 0.75)
    case .int8:
      self.init(cosine: 0.98, logitsCosine: 0.98, divergence: 0.1, agreement: 0.5)
    case .int4:
      self.init(cosine: 0.98, logitsCosine: 0.75, divergence: 1.5, agreement: 0.2)
    }
  }

  private init(cosine: Double, logitsCosine: Double, divergence: Double, agreement: Double) {
    self.cosine = cosine
    self.logitsCosine = logitsCosine
    self.divergence = divergence
    self.agreement = agreement
  }
}

extension ParityVerdict {
  /// What missed its limit, one sentence each; empty when the file is good.
  package var failures: [String] {
    let limits = ParityLimits(precision)
    var failures: [String] = []
    func require(_ what: String, _ value: Double, atLeast limit: Double) {
      // Written so that a value that is not a number fails.
      if !(value >= limit) { failures.append("\(what) \(Self.text(value)) is below \(limit)") }
    }
    if let features {
      require("vision features cos", features.meanCosine, atLeast: limits.cosine)
    }
    if let visualTokens {
      require("visual tokens cos", visualTokens.meanCosine, atLeast: limits.cosine)
    }
    if let logits {
      require("logits cos", logits.meanCosine, atLeast: limits.logitsCosine)
      if !(logits.meanDivergence <= limits.divergence) {
        failures.append(
          "logits KL \(Self.text(logits.meanDivergence)) is above \(limits.divergence)"
        )
      }
      if Double(logits.agreed) < limits.agreement * Double(logits.positions) {
        failures.append(
          "top-1 agreement \(logits.agreed)/\(logits.positions) is below \(limits.agreement)"
        )
      }
    }
    return failures
  }

  /// True when every part that was compared is within its limits.
  package var isGood: Bool { failures.isEmpty }
}

// MARK: - Text and JSON

extension ParityVerdict {
  /// One line, as `parity: visual tokens cos 0.9998, logits KL 0.0004, top-1 agree 31/32`.
  package var text: String {
    var parts: [String] = []
    if let visualTokens {
      parts.append("visual tokens cos \(Self.text(visualTokens.meanCosine))")
    } else if let features {
      parts.append("vision features cos \(Self.text(features.meanCosine))")
    }
    if let logits {
      parts.append("logits KL \(Self.text(logits.meanDivergence))")
      parts.append("top-1 agree \(logits.agreed)/\(logits.positions)")
    }
    if parts.isEmpty { parts = ["nothing to compare"] }
    let failures = failures
    let ending = failures.isEmpty ? "" : " (failed: \(failures.joined(separator: "; ")))"
    return "parity: " + parts.joined(separator: ", ") + ending
  }

  /// The verdict as JSON; parts that the file lacks are absent.
  package var json: JSONValue {
    var fields: [(key: String, value: JSONValue)] = [
      ("precision", .string(precision.rawValue)), ("good", .bool(isGood)),
      ("failures", .array(failures.map { .string($0) })),
    ]
    if let features { fields.append(("vision_features", features.json)) }
    if let visualTokens { fields.append(("visual_tokens", visualTokens.json)) }
    if let logits {
      fields.append(
        (
          "logits",
          [
            "kl_mean": Self.number(logits.meanDivergence),
            "kl_worst": Self.number(logits.worstDivergence),
            "mean_cosine": .number(JSONNumber(logits.meanCosine)),
            "top1_agreed": .number(JSONNumber(logits.agreed)),
            "positions": .number(JSONNumber(logits.positions)),
          ]
        )
      )
    }
    if !visionBlocks.isEmpty {
      fields.append(("vision_hidden", .array(visionBlocks.map(\.json))))
    }
    if !languageBlocks.isEmpty {
      fields.append(("llm_hidden", .array(languageBlocks.map(\.json))))
    }
    return .object(JSONObject(fields))
  }

  /// Four decimals; infinite when scores were not numbers.
  private static func text(_ value: Double) -> String {
    guard value.isFinite, value.magnitude < 1e6 else { return "\(value)" }
    let scaled = Int((value.magnitude * 10_000).rounded())
    let digits = String(scaled % 10_000)
    let decimals = String(repeating: "0", count: 4 - digits.count) + digits
    return (value < 0 && scaled > 0 ? "-" : "") + "\(scaled / 10_000).\(decimals)"
  }

  private static func number(_ value: Double) -> JSONValue {
    value.isFinite ? .number(JSONNumber(value)) : .null
  }
}
