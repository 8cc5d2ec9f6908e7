// SPDX-License-Identifier: Apache-2.0
// How far a strided view reaches into its storage.

/// Size, reach and self-overlap of a view given by shape and strides.
struct StridedExtent {
  /// Number of elements.
  let count: Int
  /// One past the farthest element, counted from the first; 0 when there are no elements.
  let reach: Int
  /// True when two different indices name the same element without a stride of 0 saying so.
  let overlaps: Bool

  /// Measures a view; nil when a number is negative or a product leaves 64 bits.
  init?(shape: [Int], strides: [Int]) {
    guard shape.count == strides.count, shape.allSatisfy({ $0 >= 0 }),
      strides.allSatisfy({ $0 >= 0 })
    else { return nil }
    var count = 1
    for size in shape where size > 0 {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { return nil }
      count = product
    }
    guard !shape.contains(0) else {
      self.count = 0
      reach = 0
      overlaps = false
      return
    }
    var last = 0
    var overlaps = false
    let axes = zip(shape, strides).filter { $0 > 1 && $1 > 0 }.sorted { $0.1 < $1.1 }
    for (size, stride) in axes {
      // All smaller axes together must fit between two neighbours along this one.
      if stride <= last { overlaps = true }
      let (distance, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflowSum) = last.addingReportingOverflow(distance)
      guard !overflow, !overflowSum, sum < Int.max else { return nil }
      last = sum
    }
    self.count = count
    reach = last + 1
    self.overlaps = overlaps
  }

  /// Strides of a row-major array of `shape`.
  static func rowMajor(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] &* max(shape[axis + 1], 1)
    }
    return strides
  }
}

/// The rule for tensor names that this package accepts.
enum TensorName {
  /// Longer than any real name, short enough to print.
  private static let maxLength = 512

  /// True for 1 to 512 visible ASCII characters.
  ///
  /// Names in this range compare the same way as text and as bytes, so that no two different names
  /// can be taken for one.
  static func isPlain(_ name: String) -> Bool {
    (1...maxLength).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }
}
