// SPDX-License-Identifier: Apache-2.0
// Draws of one patch a window and one of its words, as stage 1 makes them.

internal import SEADataset

/// Draws that depend on a seed and on the picture's name alone, not on the order of work.
///
/// - Source: reference.md G.1, G.9.7, G.9.8, G.9.27.
package struct WindowSampler: Sendable {
  private let grid: LabelGrid
  private let presampling: Presampling

  /// A sampler of a grid's windows.
  package init(grid: LabelGrid, presampling: Presampling) {
    self.grid = grid
    self.presampling = presampling
  }

  /// One draw for each window: uniform among its patches that have labels, then a word of the patch
  /// with probability score / sum of scores.
  ///
  /// - Parameters:
  ///   - labels: of every patch.
  ///   - name: the picture's.
  /// - Returns: nil for windows without labels.
  package func draw(_ labels: [[PatchLabel]], name: String) -> [WindowLabel?] {
    let picture = Self.hash(name)
    return (0..<grid.windows(side: presampling.window).patches).map { window in
      let patches = grid.patches(ofWindow: window, side: presampling.window)
        .map(\.patch).filter { !labels[$0].isEmpty }
      guard !patches.isEmpty else { return nil }
      var random = CounterRandom(seed: presampling.seed, .windows, picture, window)
      let patch = patches[random.below(patches.count)]
      return WindowLabel(patch: patch, word: Self.draw(labels[patch], random.unit()).word)
    }
  }

  /// The label at `unit` (0..<1) of the way through the scores.
  package static func draw(_ labels: [PatchLabel], _ unit: Double) -> PatchLabel {
    let total = labels.reduce(0.0) { $0 + Double($1.score) }
    var rest = unit * total
    for label in labels {
      rest -= Double(label.score)
      if rest < 0 { return label }
    }
    return labels[labels.count - 1]
  }

  /// The probability of each label: score / sum of scores.
  package static func probabilities(_ labels: [PatchLabel]) -> [Double] {
    let total = labels.reduce(0.0) { $0 + Double($1.score) }
    return labels.map { Double($0.score) / total }
  }

  /// FNV-1a of the name's bytes.
  private static func hash(_ name: String) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return Int(bitPattern: UInt(hash))
  }
}
