// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of words: merges in order of rank, with a heap and a linked list.

/// The working memory of one call that encodes words.
///
/// Merging takes O(n log n) time for a word of n symbols, whatever the word.
/// - Source: Hugging Face tokenizers, `bpe/model.rs` and `bpe/word.rs`.
struct BytePairEncoder {
  private let model: BytePairModel
  private let pieces: PieceIndex
  private let joints: Joints?
  /// Whether control tokens may come out.
  private let isTrusted: Bool

  /// From this length on memory is reserved exactly, which halves the peak.
  private static let hugeWord = 1 << 16

  private var cache = WordCache()
  private var heap = MergeHeap()
  /// Ids in order; −1 marks a symbol that was merged into the one before it.
  private var symbols: [Int32] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  /// What each unused piece was last merged from.
  private var sides: [Int32: (left: Int32, right: Int32)] = [:]

  init(model: BytePairModel, pieces: PieceIndex, joints: Joints?, isTrusted: Bool) {
    self.model = model
    self.pieces = pieces
    self.joints = joints
    self.isTrusted = isTrusted
  }

  /// Appends the tokens of `range` of `text`, one word for the model.
  mutating func encode(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    merges: Span<UInt8>,
    to ids: inout [Int32]
  ) {
    guard let joints else {
      encodeWord(text, range, merges: merges, to: &ids)
      return
    }
    // Cut wherever no merge crosses: short words are cheap to merge and worth remembering.
    var start = range.lowerBound
    var position = start
    var left = -1
    while position < range.upperBound {
      let scalar = ScalarReader.read(text, at: position)
      let kind = Joints.kind(scalar.value)
      if left >= 0, !joints.joins(left, kind) {
        encodeWord(text, start..<position, merges: merges, to: &ids)
        start = position
      }
      left = kind
      position += scalar.length
    }
    encodeWord(text, start..<range.upperBound, merges: merges, to: &ids)
  }

  private mutating func encodeWord(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    merges: Span<UInt8>,
    to ids: inout [Int32]
  ) {
    // What an unused piece comes out as depends on more than the word.
    guard range.count <= WordCache.longestWord, !model.options.makesUnused else {
      merge(text, range, merges: merges, to: &ids)
      return
    }
    let hash = mix(PieceIndex.hash(text, range))
    if cache.append(text, range, hash: hash, to: &ids) { return }
    let start = ids.count
    merge(text, range, merges: merges, to: &ids)
    cache.insert(text, range, hash: hash, ids: ids[start...])
  }

  private mutating func merge(
    _ text: Span<UInt8>,
    _ range: Range<Int>,
    merges: Span<UInt8>,
    to ids: inout [Int32]
  ) {
    if model.options.ignoresMerges,
      let id = wholeWord(text, range)
    {
      ids.append(id)
      return
    }
    symbols.removeAll(keepingCapacity: true)
    if range.count > Self.hugeWord { symbols.reserveCapacity(range.count) }
    if model.options.isByteLevel {
      readBytes(text, range)
    } else {
      readCharacters(text, range)
    }
    mergeSymbols(merges)
    for symbol in symbols where symbol >= 0 {
      if model.options.makesUnused { appendUsed(symbol, to: &ids) } else { ids.append(symbol) }
    }
  }

  /// Appends a symbol, or what it was merged from while that is unused.
  private func appendUsed(_ symbol: Int32, to ids: inout [Int32]) {
    var stack = [symbol]
    while let symbol = stack.popLast() {
      if isUnused(symbol), let sides = sides[symbol] {
        stack.append(sides.right)
        stack.append(sides.left)
      } else {
        ids.append(symbol)
      }
    }
  }

  private func isUnused(_ id: Int32) -> Bool {
    guard let flags = model.flags else { return false }
    return flags[Int(id)] & PieceFlags.isUnused.rawValue != 0
  }
}

// MARK: - First symbols

extension BytePairEncoder {
  private func isAllowed(_ id: Int32) -> Bool {
    guard !isTrusted, let flags = model.flags else { return true }
    return flags[Int(id)] & PieceFlags.control.rawValue == 0
  }

  private func wholeWord(
    _ text: Span<UInt8>,
    _ range: Range<Int>
  ) -> Int32? {
    var found: Int32?
    if model.options.isByteLevel {
      var visible: [UInt8] = []
      visible.reserveCapacity(range.count * 2)
      for position in range { ByteAlphabet.append(text[position], to: &visible) }
      let all = 0..<visible.count
      let hash = PieceIndex.hash(visible.span, all)
      found = pieces.find(visible.span, all, hash: hash)
    } else {
      let hash = PieceIndex.hash(text, range)
      found = pieces.find(text, range, hash: hash)
    }
    return found.flatMap { isAllowed($0) ? $0 : nil }
  }

  private mutating func readBytes(_ text: Span<UInt8>, _ range: Range<Int>) {
    var hasUnknown = false
    for position in range {
      let isLast = position == range.upperBound - 1
      let byte = Int(text[position])
      let id = isLast ? model.lastSymbols[byte] : model.symbols[byte]
      if id >= 0, isAllowed(id) {
        if hasUnknown, let unknown = model.unknown { symbols.append(unknown) }
        hasUnknown = false
        symbols.append(id)
      } else if !appendVisibleByteTokens(text[position], isLast: isLast) {
        addUnknown(&hasUnknown)
      }
    }
    if hasUnknown, let unknown = model.unknown { symbols.append(unknown) }
  }

  private mutating func readCharacters(
    _ text: Span<UInt8>,
    _ range: Range<Int>
  ) {
    let suffix = Array(model.options.wordSuffix.utf8)
    var hasUnknown = false
    var position = range.lowerBound
    while position < range.upperBound {
      let scalar = ScalarReader.read(text, at: position)
      let character = position..<position + scalar.length
      position = character.upperBound
      let isLast = position == range.upperBound
      var id: Int32 = -1
      if scalar.value < 0x80 {
        id = (isLast ? model.lastSymbols : model.symbols)[Int(scalar.value)]
      } else if scalar.value != ScalarReader.stray {
        id = symbol(text, character, suffix: isLast ? suffix : []) ?? -1
      }
      if id >= 0, isAllowed(id) {
        if hasUnknown, let unknown = model.unknown { symbols.append(unknown) }
        hasUnknown = false
        symbols.append(id)
      } else if !appendByteTokens(text, character, suffix: isLast ? suffix : []) {
        addUnknown(&hasUnknown)
      }
    }
    if hasUnknown, let unknown = model.unknown { symbols.append(unknown) }
  }

  private func symbol(
    _ text: Span<UInt8>,
    _ character: Range<Int>,
    suffix: [UInt8]
  ) -> Int32? {
    if suffix.isEmpty {
      let hash = PieceIndex.hash(text, character)
      return pieces.find(text, character, hash: hash)
    }
    var bytes: [UInt8] = []
    for position in character { bytes.append(text[position]) }
    bytes += suffix
    let all = 0..<bytes.count
    let hash = PieceIndex.hash(bytes.span, all)
    return pieces.find(bytes.span, all, hash: hash)
  }

  /// Appends a token for each byte, if the vocabulary has them all.
  ///
  /// An unknown token that waits to be joined keeps waiting, as in the reference.
  private mutating func appendByteTokens(
    _ text: Span<UInt8>,
    _ character: Range<Int>,
    suffix: [UInt8]
  ) -> Bool {
    guard model.options.hasByteFallback else { return false }
    let start = symbols.count
    for position in character { symbols.append(model.byteTokens[Int(text[position])]) }
    for byte in suffix { symbols.append(model.byteTokens[Int(byte)]) }
    guard symbols[start...].allSatisfy({ $0 >= 0 }) else {
      symbols.removeSubrange(start...)
      return false
    }
    return true
  }

  /// The same for a byte-level model, whose symbols are the visible characters of bytes.
  private mutating func appendVisibleByteTokens(_ byte: UInt8, isLast: Bool) -> Bool {
    guard model.options.hasByteFallback else { return false }
    var visible: [UInt8] = []
    ByteAlphabet.append(byte, to: &visible)
    let suffix = isLast ? Array(model.options.wordSuffix.utf8) : []
    return appendByteTokens(visible.span, 0..<visible.count, suffix: suffix)
  }

  /// Notes an unknown character; without an unknown token it vanishes.
  private mutating func addUnknown(_ hasUnknown: inout Bool) {
    guard let unknown = model.unknown else { return }
    if hasUnknown, !model.options.fusesUnknown { symbols.append(unknown) }
    hasUnknown = true
  }
}

// MARK: - Merging

extension BytePairEncoder {
  @inline(__always)
  private func find(
    _ left: Int32,
    _ right: Int32,
    _ merges: Span<UInt8>
  ) -> (
    rank: UInt32, id: Int32
  )? {
    guard let merge = model.merges.find(left, right, in: merges) else { return nil }
    return isAllowed(merge.id) ? merge : nil
  }

  /// Notes that the neighbours at these places may be merged.
  @inline(__always)
  private mutating func propose(_ left: Int, _ right: Int, _ merges: Span<UInt8>) -> UInt64? {
    guard let merge = find(symbols[left], symbols[right], merges) else { return nil }
    if model.options.makesUnused, isUnused(merge.id) {
      sides[merge.id] = (symbols[left], symbols[right])
    }
    return MergeHeap.entry(rank: merge.rank, position: left)
  }

  private mutating func mergeSymbols(_ merges: Span<UInt8>) {
    let count = symbols.count
    guard count > 1 else { return }
    precondition(count < Int(Int32.max), "a word of \(count) symbols")
    heap.removeAll()
    sides.removeAll()
    if count > Self.hugeWord {
      heap.reserve(count)
      next.reserveCapacity(count)
      previous.reserveCapacity(count)
    }
    for position in 0..<count - 1 {
      if let entry = propose(position, position + 1, merges) { heap.append(entry) }
    }
    heap.arrange()
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    for position in 0..<Int32(count) {
      next.append(position + 1)
      previous.append(position - 1)
    }
    next[count - 1] = -1
    while let entry = heap.pop() {
      let position = Int(UInt32(truncatingIfNeeded: entry))
      let right = Int(next[position])
      guard symbols[position] >= 0, right >= 0 else { continue }
      // An entry is stale when its pair has changed since it was pushed.
      guard let merge = find(symbols[position], symbols[right], merges),
        merge.rank == UInt32(truncatingIfNeeded: entry >> 32)
      else { continue }
      join(position, right, into: merge.id, merges)
    }
  }

  @inline(__always)
  private mutating func join(_ left: Int, _ right: Int, into id: Int32, _ merges: Span<UInt8>) {
    symbols[left] = id
    symbols[right] = -1
    let after = next[right]
    next[left] = after
    if after >= 0 { previous[Int(after)] = Int32(left) }
    let before = previous[left]
    if before >= 0, let entry = propose(Int(before), left, merges) { heap.push(entry) }
    if after >= 0, let entry = propose(left, Int(after), merges) { heap.push(entry) }
  }
}
