// SPDX-License-Identifier: Apache-2.0
// Many short texts in one run of bytes, found by their bytes.

/// Distinct texts, numbered in the order in which they came.
///
/// A text costs its bytes and 16 more; a Swift string for each of sixteen million would cost ten times
/// as much.
package struct TextPool: Sendable {
  /// The bytes of all texts, one after the other.
  package private(set) var bytes: [UInt8] = []
  /// Where each text ends in `bytes`.
  package private(set) var ends: [Int] = []
  /// Number + 1, or 0 for a free slot; a power of two of them.
  private var slots: [UInt32] = []
  /// Differs from process to process, so that no list can be made to collide.
  private let seed: UInt64

  /// A pool without texts.
  package init() {
    var generator = SystemRandomNumberGenerator()
    seed = generator.next()
  }

  /// Number of texts.
  package var count: Int { ends.count }

  /// Bytes of text `index`.
  ///
  /// - Precondition: `index` is in range.
  package func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  /// Text `index`.
  ///
  /// - Precondition: `index` is in range.
  package subscript(index: Int) -> String {
    String(decoding: bytes[range(index)], as: UTF8.self)
  }

  /// The number of the text with these bytes, or nil.
  package func find(_ text: some Collection<UInt8>) -> Int? {
    guard !slots.isEmpty else { return nil }
    let mask = slots.count - 1
    var slot = hash(text) & mask
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if bytes[range(index)].elementsEqual(text) { return index }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Adds a text unless it is there.
  ///
  /// - Returns: its number, and whether it is new.
  /// - Precondition: fewer than 2³² − 1 texts.
  @discardableResult
  package mutating func insert(_ text: some Collection<UInt8>) -> (index: Int, isNew: Bool) {
    if let index = find(text) { return (index, false) }
    precondition(count < Int(UInt32.max) - 1, "too many texts in a pool")
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
    if count * 2 > slots.count { grow() } else { place(count - 1) }
    return (count - 1, true)
  }

  /// Whether text `left` stands before text `right` by their bytes.
  package func isOrdered(_ left: Int, _ right: Int) -> Bool {
    bytes[range(left)].lexicographicallyPrecedes(bytes[range(right)])
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: max(64, slots.count * 4))
    for index in 0..<count { place(index) }
  }

  private mutating func place(_ index: Int) {
    let mask = slots.count - 1
    var slot = hash(bytes[range(index)]) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(index + 1)
  }

  private func hash(_ text: some Collection<UInt8>) -> Int {
    var state = seed
    for byte in text { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    state ^= state >> 32
    state = state &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: state >> 16)
  }
}
