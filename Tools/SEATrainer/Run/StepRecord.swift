// SPDX-License-Identifier: Apache-2.0
// What is known about a step, as a line of the log.

package import SEAFormat

/// What a task found while it accumulated the gradients of a step.
package struct StepLosses: Sendable, Equatable {
  /// The loss whose gradient was accumulated.
  package var total = 0.0
  /// Generation loss L_g; nil: it was not computed.
  package var generation: Double?
  /// Alignment loss L_a; nil: it was not computed.
  package var alignment: Double?
  /// Temperature of the alignment before the step.
  package var temperature: Double?
  /// Positions that went through the language model, or through the adapter when it did not run.
  package var tokens = 0
  /// Pairs that were aligned.
  package var pairs = 0
  /// Further figures by the names that they have in the log.
  package var others: [String: Double] = [:]
  /// Names of the samples, for messages.
  package var batch: [String] = []

  /// Nothing yet.
  package init() {}
}

/// One line of `metrics.jsonl`.
package struct StepRecord: Sendable, Equatable {
  /// Steps done, this one included.
  package var step: Int
  package var losses: StepLosses
  /// Learning rate of the first group.
  package var learningRate: Double
  /// Norm of the gradients before clipping.
  package var gradientNorm: Double
  package var seconds: Double
  package var peakResidentBytes: Int

  /// The line.
  package var json: JSONValue {
    func number(_ value: Double?) -> JSONValue {
      guard let value, value.isFinite else { return .null }
      return .number(JSONNumber(value))
    }
    let fields: JSONValue = [
      "step": .number(JSONNumber(step)),
      "loss": number(losses.total),
      "L_g": number(losses.generation),
      "L_a": number(losses.alignment),
      "temperature": number(losses.temperature),
      "lr": number(learningRate),
      "grad_norm": number(gradientNorm),
      "tokens": .number(JSONNumber(losses.tokens)),
      "pairs": .number(JSONNumber(losses.pairs)),
      "tokens_per_second": number(seconds > 0 ? Double(losses.tokens) / seconds : nil),
      "seconds": number(seconds),
      "peak_rss_bytes": .number(JSONNumber(peakResidentBytes)),
    ]
    guard !losses.others.isEmpty, let object = fields.object else { return fields }
    return .object(
      JSONObject(
        object.entries
          + losses.others.sorted { $0.key < $1.key }.map { (key: $0.key, value: number($0.value)) }
      )
    )
  }

  /// Names that are not among the further figures.
  private static let ownNames: Set<String> = [
    "step", "loss", "L_g", "L_a", "temperature", "lr", "grad_norm", "tokens", "pairs",
    "tokens_per_second", "seconds", "peak_rss_bytes",
  ]

  /// A step's record.
  package init(
    step: Int,
    losses: StepLosses,
    learningRate: Double,
    gradientNorm: Double,
    seconds: Double,
    peakResidentBytes: Int
  ) {
    self.step = step
    self.losses = losses
    self.learningRate = learningRate
    self.gradientNorm = gradientNorm
    self.seconds = seconds
    self.peakResidentBytes = peakResidentBytes
  }

  /// Reads a line; nil when it is not one.
  package init?(json: JSONValue) {
    guard let step = json["step"]?.int, step > 0 else { return nil }
    var losses = StepLosses()
    losses.total = json["loss"]?.double ?? .nan
    losses.generation = json["L_g"]?.double
    losses.alignment = json["L_a"]?.double
    losses.temperature = json["temperature"]?.double
    losses.tokens = json["tokens"]?.int ?? 0
    losses.pairs = json["pairs"]?.int ?? 0
    for entry in json.object?.entries ?? [] where !Self.ownNames.contains(entry.key) {
      if let value = entry.value.double { losses.others[entry.key] = value }
    }
    self.init(
      step: step,
      losses: losses,
      learningRate: json["lr"]?.double ?? 0,
      gradientNorm: json["grad_norm"]?.double ?? .nan,
      seconds: json["seconds"]?.double ?? 0,
      peakResidentBytes: json["peak_rss_bytes"]?.int ?? 0
    )
  }
}
