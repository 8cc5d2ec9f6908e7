// SPDX-License-Identifier: Apache-2.0
// Hash tables that live in bytes: pairs of tokens to merge, pieces to ids, and a filter of prefixes.

import SEATensor

/// Little-endian words inside bytes that are not trusted: every index is checked.
extension Span<UInt8> {
  /// The 32-bit word at `index`, counted in words.
  ///
  /// - Precondition: the word lies within the bytes.
  @inline(__always)
  func word(_ index: Int) -> UInt32 {
    // The load checks its bounds; any four bytes are a UInt32.
    unsafe UInt32(
      littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
    )
  }
}

/// Appends a word in little-endian order.
package func append(_ word: UInt32, to bytes: inout [UInt8]) {
  for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
}

/// Spreads a hash over its 64 bits.
@inline(__always)
func mix(_ hash: UInt64) -> UInt64 {
  var hash = hash
  hash ^= hash >> 32
  hash = hash &* 0xd6e8_feb8_6659_fd93
  hash ^= hash >> 32
  hash = hash &* 0xd6e8_feb8_6659_fd93
  hash ^= hash >> 32
  return hash
}

/// The slot where a search starts, among `capacity`.
@inline(__always)
private func firstSlot(_ hash: UInt64, capacity: Int) -> Int {
  Int(truncatingIfNeeded: (hash >> 32 &* UInt64(truncatingIfNeeded: capacity)) >> 32)
}

/// Which pairs of tokens merge, in what order, into what.
///
/// A slot is four words: left id, right id, rank, merged id; a left id of all ones marks it empty.
struct MergeTable: Sendable {
  static let slotBytes = 16
  private static let empty = UInt32.max

  let capacity: Int
  let probeLimit: Int
  /// Number of ids; a slot that names another is ignored.
  let count: Int

  /// The merge of `left` and `right`, or nil.
  @inline(__always)
  func find(_ left: Int32, _ right: Int32, in slots: Span<UInt8>) -> (rank: UInt32, id: Int32)? {
    let left = UInt32(bitPattern: left)
    let right = UInt32(bitPattern: right)
    var slot = firstSlot(Self.hash(left, right), capacity: capacity)
    for _ in 0..<probeLimit {
      let found = slots.word(slot &* 4)
      if found == left, slots.word(slot &* 4 &+ 1) == right {
        let id = slots.word(slot &* 4 &+ 3)
        return Int(id) < count ? (slots.word(slot &* 4 &+ 2), Int32(bitPattern: id)) : nil
      }
      if found == Self.empty { return nil }
      slot &+= 1
      if slot == capacity { slot = 0 }
    }
    return nil
  }

  @inline(__always)
  private static func hash(_ left: UInt32, _ right: UInt32) -> UInt64 {
    mix(UInt64(left) << 32 | UInt64(right))
  }

  /// The bytes of a table of these merges and its longest search.
  static func build(
    _ merges: [Merge]
  ) -> (bytes: [UInt8], longestProbe: Int) {
    let (slots, longest) = place(count: merges.count) {
      hash(UInt32(bitPattern: merges[$0].left), UInt32(bitPattern: merges[$0].right))
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(slots.count * slotBytes)
    for slot in slots {
      let merge = slot.map { merges[$0] }
      append(merge.map { UInt32(bitPattern: $0.left) } ?? empty, to: &bytes)
      append(merge.map { UInt32(bitPattern: $0.right) } ?? 0, to: &bytes)
      append(merge?.rank ?? 0, to: &bytes)
      append(merge.map { UInt32(bitPattern: $0.id) } ?? 0, to: &bytes)
    }
    return (bytes, longest)
  }
}

/// The id of each piece of the model's vocabulary.
///
/// A slot is two words: the low half of the piece's hash, and the id plus one; zero marks it empty.
struct PieceIndex: Sendable {
  static let slotBytes = 8

  /// The hash table.
  let slots: ByteView
  /// Where each id's text starts in the pool, and where the last one ends.
  let offsets: ByteView
  let pool: ByteView
  let probeLimit: Int
  let count: Int

  /// The running hash of no bytes.
  static let seed: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The running hash after one more byte.
  @inline(__always)
  static func extend(_ hash: UInt64, by byte: UInt8) -> UInt64 {
    (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }

  static func hash(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var hash = seed
    for index in range { hash = extend(hash, by: text[index]) }
    return hash
  }

  /// The id of the piece whose bytes are `range` of `text` and have this running hash, or nil.
  func find(_ text: Span<UInt8>, _ range: Range<Int>, hash: UInt64) -> Int32? {
    slots.withSpan { slots in
      offsets.withSpan { offsets in
        pool.withSpan { pool in
          find(text, range, mix(hash), slots, offsets, pool)
        }
      }
    }
  }

  private func find(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    _ hash: UInt64,
    _ slots: Span<UInt8>,
    _ offsets: Span<UInt8>,
    _ pool: Span<UInt8>
  ) -> Int32? {
    let tag = UInt32(truncatingIfNeeded: hash)
    let capacity = slots.count / Self.slotBytes
    var slot = firstSlot(hash, capacity: capacity)
    for _ in 0..<probeLimit {
      let entry = slots.word(slot * 2 + 1)
      if entry == 0 { return nil }
      let id = Int(entry) - 1
      if slots.word(slot * 2) == tag, id < count {
        let start = Int(offsets.word(id))
        if Int(offsets.word(id + 1)) - start == range.count,
          hasBytes(pool, start, text, range)
        {
          return Int32(id)
        }
      }
      slot += 1
      if slot == capacity { slot = 0 }
    }
    return nil
  }

  private func hasBytes(
    _ pool: Span<UInt8>,
    _ start: Int,
    _ text: Span<UInt8>,
    _ range: Range<Int>
  ) -> Bool {
    for offset in 0..<range.count where pool[start + offset] != text[range.lowerBound + offset] {
      return false
    }
    return true
  }

  /// The bytes of a table of these ids, and its longest search.
  static func build(
    _ ids: [Int32],
    piece: (Int32) -> ArraySlice<UInt8>
  ) -> (bytes: [UInt8], longestProbe: Int) {
    let hashes = ids.map { id in
      var hash = seed
      for byte in piece(id) { hash = extend(hash, by: byte) }
      return mix(hash)
    }
    let (slots, longest) = place(count: ids.count) { hashes[$0] }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(slots.count * slotBytes)
    for index in slots {
      append(index.map { UInt32(truncatingIfNeeded: hashes[$0]) } ?? 0, to: &bytes)
      append(index.map { UInt32(bitPattern: ids[$0]) + 1 } ?? 0, to: &bytes)
    }
    return (bytes, longest)
  }
}

/// What pieces start with, and what they are, as far as a hash can tell.
///
/// A search that goes on byte by byte stops where no piece does. Each slot has two bits: some piece
/// starts with a text of this hash, and some piece is one. Both may be set by another text.
struct PrefixFilter: Sendable {
  let bits: ByteView
  private let shift: UInt64

  /// A filter as stored, or nil when its length is no power of two.
  init?(_ bits: ByteView) {
    guard bits.count > 0, bits.count & (bits.count - 1) == 0 else { return nil }
    self.bits = bits
    shift = Self.shift(bits.count)
  }

  /// What is known of a text with this running hash of `PieceIndex`.
  @inline(__always)
  func look(_ hash: UInt64, in bits: Span<UInt8>) -> (isPrefix: Bool, isPiece: Bool) {
    let slot = Self.slot(hash, shift)
    let pair = bits[slot >> 2] >> UInt8((slot & 3) << 1)
    return (pair & 1 != 0, pair & 2 != 0)
  }

  /// The shift that leaves a slot's number, four slots to a byte.
  private static func shift(_ byteCount: Int) -> UInt64 {
    UInt64(62 - byteCount.trailingZeroBitCount)
  }

  @inline(__always)
  private static func slot(_ hash: UInt64, _ shift: UInt64) -> Int {
    Int(truncatingIfNeeded: ((hash ^ hash >> 32) &* 0x9e37_79b9_7f4a_7c15) >> shift)
  }

  /// The bytes of a filter for these pieces.
  static func build(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
    let prefixCount = pieces.reduce(0) { $0 + $1.count }
    var byteCount = 64
    while byteCount < prefixCount, byteCount < 1 << 26 { byteCount *= 2 }
    let shift = shift(byteCount)
    var bits = [UInt8](repeating: 0, count: byteCount)
    for piece in pieces {
      var hash = PieceIndex.seed
      for (index, byte) in piece.enumerated() {
        hash = PieceIndex.extend(hash, by: byte)
        let slot = slot(hash, shift)
        let pair: UInt8 = index == piece.count - 1 ? 3 : 1
        bits[slot >> 2] |= pair << UInt8((slot & 3) << 1)
      }
    }
    return bits
  }
}

/// Puts entries into slots, two thirds full, each as near as possible after where its hash points.
private func place(count: Int, hash: (Int) -> UInt64) -> (slots: [Int?], longestProbe: Int) {
  let capacity = count + count / 2 + 8
  var slots = [Int?](repeating: nil, count: capacity)
  var longest = 1
  for entry in 0..<count {
    var slot = firstSlot(hash(entry), capacity: capacity)
    var probes = 1
    while slots[slot] != nil {
      slot += 1
      probes += 1
      if slot == capacity { slot = 0 }
    }
    slots[slot] = entry
    longest = max(longest, probes)
  }
  // A search for what is absent looks at one slot more.
  return (slots, longest + 1)
}
