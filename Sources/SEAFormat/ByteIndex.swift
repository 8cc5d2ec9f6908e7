// SPDX-License-Identifier: Apache-2.0
// A hash index over strings that live elsewhere, keyed by UTF-8 bytes.

/// Maps the bytes of a key to its position in a list the caller owns.
///
/// Open addressing with linear probing over 32-bit positions: 4 to 8 bytes per key, no copies of
/// the keys. The hash is seeded per process, so a file cannot be built to make every key collide.
struct ByteIndex: Sendable {
  /// Position + 1, or 0 for a free slot; the count is a power of two or zero.
  private var slots: [UInt32] = []
  private var count = 0

  var isEmpty: Bool {
    count == 0
  }

  /// The position of the key with these bytes, or nil.
  func find(_ key: String, keyAt: (Int) -> String) -> Int? {
    guard !slots.isEmpty else { return nil }
    let mask = slots.count - 1
    var slot = key.byteHash & mask
    while slots[slot] != 0 {
      let position = Int(slots[slot]) - 1
      if keyAt(position).hasSameBytes(as: key) { return position }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// Records that `key` is at `position`, unless a key with the same bytes is known.
  ///
  /// - Returns: whether the key was new.
  @discardableResult
  mutating func insert(_ key: String, at position: Int, keyAt: (Int) -> String) -> Bool {
    if (count + 1) * 2 > slots.count { grow(keyAt: keyAt) }
    let mask = slots.count - 1
    var slot = key.byteHash & mask
    while slots[slot] != 0 {
      if keyAt(Int(slots[slot]) - 1).hasSameBytes(as: key) { return false }
      slot = (slot + 1) & mask
    }
    precondition(position < Int(UInt32.max), "position \(position) does not fit in 32 bits")
    slots[slot] = UInt32(position + 1)
    count += 1
    return true
  }

  private mutating func grow(keyAt: (Int) -> String) {
    let old = slots
    slots = [UInt32](repeating: 0, count: max(32, old.count * 2))
    let mask = slots.count - 1
    for entry in old where entry != 0 {
      var slot = keyAt(Int(entry) - 1).byteHash & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = entry
    }
  }
}

// MARK: - Bytes of strings

extension String {
  /// Whether both strings are the same UTF-8 bytes (string equality also accepts equivalents).
  package func hasSameBytes(as other: String) -> Bool {
    let left = self.utf8Span.span
    let right = other.utf8Span.span
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
  }

  /// A hash of the UTF-8 bytes, seeded per process.
  var byteHash: Int {
    var hasher = Hasher()
    // The hasher takes raw bytes only through a pointer; it reads them before the closure ends.
    unsafe self.utf8Span.span.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    return hasher.finalize()
  }
}
