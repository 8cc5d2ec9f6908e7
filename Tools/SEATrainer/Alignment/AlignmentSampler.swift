// SPDX-License-Identifier: Apache-2.0
// Which patches are aligned in a step, and with which word each.

internal import SEADataset

/// How one patch of a window is drawn.
package enum WindowDraw: String, Sendable, CaseIterable {
  /// Each labelled patch is equally likely.
  case uniform
  /// In proportion to the patch's best score.
  case score
}

/// What becomes of windows that reach over the grid's edge.
package enum WindowEdge: String, Sendable, CaseIterable {
  /// They have fewer patches.
  case ragged
  /// They are left out.
  case drop
}

/// How one of a patch's words is drawn.
package enum LabelDraw: String, Sendable, CaseIterable {
  /// In proportion to its score.
  case prop
  /// The best one.
  case argmax
  /// Each is equally likely.
  case uniform
}

/// What a window without labels does.
package enum EmptyWindow: String, Sendable, CaseIterable {
  /// Nothing.
  case skip
  /// It draws among all labelled patches of the picture.
  case global
}

/// What becomes of words that were drawn more than once.
package enum Deduplication: String, Sendable, CaseIterable {
  /// One patch is kept for each word.
  case label
  case off
}

/// Settings of the sampler, reference.md G.9.
package struct SamplingRules: Sendable, Equatable {
  /// Side of a window in patches.
  package var window = 2
  package var windowDraw = WindowDraw.uniform
  package var windowEdge = WindowEdge.ragged
  package var labelDraw = LabelDraw.prop
  package var empty = EmptyWindow.skip
  package var dedupe = Deduplication.label

  /// The paper's settings.
  package init() {}
}

/// A patch and the word it is to come close to.
package struct AlignmentPair: Sendable, Equatable {
  /// Position of the sample in the batch.
  package let row: Int
  /// Patch of the sample's picture, row by row.
  package let patch: Int
  /// Position in the word list.
  package let word: Int

  /// A pair.
  package init(row: Int, patch: Int, word: Int) {
    self.row = row
    self.patch = patch
    self.word = word
  }
}

/// Draws the pairs of a step.
///
/// What is drawn depends on the seed, the step and the position in the batch alone, so a run that was
/// interrupted draws the same pairs again.
/// - Source: SEA sec. 3; reference.md G.1.
package struct AlignmentSampler: Sendable {
  package let rules: SamplingRules
  package let seed: UInt64

  /// A sampler.
  ///
  /// - Precondition: the window's side is positive.
  package init(_ rules: SamplingRules, seed: UInt64) {
    precondition(rules.window > 0, "a window of \(rules.window) patches")
    self.rules = rules
    self.seed = seed
  }

  /// The pairs of one picture, window by window.
  ///
  /// - Parameters:
  ///   - grid: the picture's labels on the encoder's own grid.
  ///   - row: position of the sample in the step.
  ///   - step: the step, counted from 0.
  /// - Returns: at most one pair a window.
  package func draw(_ grid: PatchCandidates, row: Int, step: Int) -> [AlignmentPair] {
    var windows = CounterRandom(seed: seed, .windows, step, row)
    var labels = CounterRandom(seed: seed, .labels, step, row)
    let labelled = grid.cells.indices.filter { !grid.cells[$0].isEmpty }
    guard !labelled.isEmpty else { return [] }
    var pairs: [AlignmentPair] = []
    for window in self.windows(height: grid.height, width: grid.width) {
      // Each window consumes the same share of both streams, whatever it holds.
      let place = windows.unit()
      let choice = labels.unit()
      var members = window.filter { !grid.cells[$0].isEmpty }
      if members.isEmpty {
        guard rules.empty == .global else { continue }
        members = labelled
      }
      let patch = members[pick(members, grid, at: place)]
      let word = grid.cells[patch][pick(grid.cells[patch], at: choice)].word
      pairs.append(AlignmentPair(row: row, patch: patch, word: word))
    }
    return pairs
  }

  /// Keeps one pair for each word, chosen at random; the others keep their order.
  ///
  /// - Parameters:
  ///   - pairs: the pairs that are negatives of each other.
  ///   - step: the step.
  ///   - part: position of these pairs among those of the step.
  /// - Returns: the pairs that are kept.
  package func deduplicate(_ pairs: [AlignmentPair], step: Int, part: Int) -> [AlignmentPair] {
    guard rules.dedupe == .label else { return pairs }
    var random = CounterRandom(seed: seed, .duplicates, step, part)
    var kept: [Int: Int] = [:]
    var seen: [Int: Int] = [:]
    for (index, pair) in pairs.enumerated() {
      // The n-th of its word replaces the one kept with probability 1/n: each stays equally likely.
      let count = (seen[pair.word] ?? 0) + 1
      seen[pair.word] = count
      if random.below(count) == 0 { kept[pair.word] = index }
    }
    return pairs.indices.filter { kept[pairs[$0].word] == $0 }.map { pairs[$0] }
  }

  /// The patches of each window, row by row.
  package func windows(height: Int, width: Int) -> [[Int]] {
    let side = rules.window
    let isRagged = rules.windowEdge == .ragged
    var windows: [[Int]] = []
    for top in stride(from: 0, to: height, by: side) {
      for left in stride(from: 0, to: width, by: side) {
        guard isRagged || (top + side <= height && left + side <= width) else { continue }
        var patches: [Int] = []
        for row in top..<min(top + side, height) {
          for column in left..<min(left + side, width) { patches.append(row * width + column) }
        }
        windows.append(patches)
      }
    }
    return windows
  }

  // MARK: - Choices

  private func pick(_ members: [Int], _ grid: PatchCandidates, at place: Double) -> Int {
    switch rules.windowDraw {
    case .uniform: min(Int(place * Double(members.count)), members.count - 1)
    case .score:
      Self.weighted(members.map { Double(grid.cells[$0].map(\.score).max() ?? 0) }, at: place)
    }
  }

  private func pick(_ candidates: [LabelCandidate], at place: Double) -> Int {
    switch rules.labelDraw {
    case .prop: Self.weighted(candidates.map { Double($0.score) }, at: place)
    case .uniform: min(Int(place * Double(candidates.count)), candidates.count - 1)
    case .argmax:
      candidates.indices.reduce(0) { candidates[$1].score > candidates[$0].score ? $1 : $0 }
    }
  }

  /// The position whose share of the weights covers `place` of their sum.
  private static func weighted(_ weights: [Double], at place: Double) -> Int {
    let total = weights.reduce(0, +)
    guard total > 0 else { return min(Int(place * Double(weights.count)), weights.count - 1) }
    var rest = place * total
    for (index, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0 { return index }
    }
    return weights.lastIndex { $0 > 0 } ?? 0
  }
}
