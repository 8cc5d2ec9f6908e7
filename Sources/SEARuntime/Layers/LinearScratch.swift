// SPDX-License-Identifier: Apache-2.0
// Room for the inputs of linear layers: normalised rows and their int8 form.

import SEATensor

/// Regions for the prepared input of one linear step at a time.
package struct LinearScratch: Sendable {
  private let values: ScratchSlot<Float>
  private let codes: ScratchSlot<Int8>
  private let scales: ScratchSlot<Float>
  private let sums: ScratchSlot<Int32>

  /// Smallest group of inputs that share a scale.
  private static let smallestGroup = 32

  /// Inputs that completing the last group can add.
  private static let largestPadding = 128

  /// Adds the regions to a plan.
  ///
  /// - Parameters:
  ///   - plan: receives the regions.
  ///   - tokens: rows at most.
  ///   - normalized: widest input that is normalised first.
  ///   - columns: widest input.
  package init(in plan: inout ScratchPlan, tokens: Int, normalized: Int, columns: Int) {
    let groups = tokens * ((columns + Self.smallestGroup - 1) / Self.smallestGroup)
    values = plan.reserve(count: tokens * normalized)
    codes = plan.reserve(count: tokens * Self.rowStride(padded: columns + Self.largestPadding))
    scales = plan.reserve(count: groups)
    sums = plan.reserve(count: groups)
  }

  /// Bytes between rows of codes: an odd number of cache lines, so that the rows of a tile lie in
  /// different cache sets.
  private static func rowStride(padded: Int) -> Int {
    ((padded + 63) / 64 | 1) * 64
  }

  func normalized(in buffer: AlignedBuffer, tokens: Int, columns: Int) -> MatrixView<Float> {
    buffer.view(values, rows: tokens, columns: columns)
  }

  func packed(
    in buffer: AlignedBuffer,
    tokens: Int,
    columns: Int,
    group: Int
  ) -> PackedActivations {
    let groups = (columns + group - 1) / group
    let stride = Self.rowStride(padded: groups * group)
    return PackedActivations(
      codes: buffer.view(codes, rows: tokens, columns: groups * group, stride: stride),
      scales: buffer.view(scales, rows: tokens, columns: groups),
      sums: buffer.view(sums, rows: tokens, columns: groups)
    )
  }
}
