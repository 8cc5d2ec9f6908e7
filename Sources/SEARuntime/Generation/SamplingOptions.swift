// SPDX-License-Identifier: Apache-2.0
// How the next token is chosen from its scores.

/// How tokens are drawn; the defaults choose the best one.
public struct SamplingOptions: Sendable, Equatable {
  /// Divides the scores; 0 chooses the best token.
  public var temperature: Double = 0
  /// Keep this many of the best tokens; 0: all.
  public var topK: Int = 0
  /// Keep the best tokens that together have this probability; 1: all.
  public var topP: Double = 1
  /// Keep tokens with at least this share of the best one's probability; 0: all.
  public var minP: Double = 0
  /// Divides positive scores of tokens seen before and multiplies negative ones; 1: off.
  public var repeatPenalty: Double = 1
  /// Fixes the draw: the same seed gives the same tokens.
  public var seed: UInt64 = 0

  /// Greedy choice.
  public init() {}

  /// Refuses values that have no meaning.
  ///
  /// - Throws: `RuntimeError.input` naming the option.
  package func validate() throws(RuntimeError) {
    func require(
      _ holds: Bool,
      _ name: String,
      _ found: Any,
      _ expected: String
    ) throws(RuntimeError) {
      guard holds else { throw .input(what: name, found: "\(found)", expected: expected) }
    }
    try require(
      temperature.isFinite && temperature >= 0,
      "the temperature",
      temperature,
      "a number of at least 0"
    )
    try require(topK >= 0, "top-k", topK, "0 or more tokens")
    try require(topP > 0 && topP <= 1, "top-p", topP, "a share above 0 and up to 1")
    try require(minP >= 0 && minP <= 1, "min-p", minP, "a share from 0 to 1")
    try require(
      repeatPenalty.isFinite && repeatPenalty > 0,
      "the repeat penalty",
      repeatPenalty,
      "a number above 0"
    )
  }
}
