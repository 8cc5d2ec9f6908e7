// SPDX-License-Identifier: Apache-2.0
// The labels of one picture as bytes.

internal import SEAFormat
package import SEATensor

/// A label: a word and how well it fits.
package struct PatchLabel: Sendable, Equatable {
  /// Index in the word list.
  package let word: Int
  /// Above 0, at most 1 but for rounding.
  package let score: Float

  /// A word and its score.
  package init(word: Int, score: Float) {
    self.word = word
    self.score = score
  }
}

/// A draw of a window: a patch and one of its words.
package struct WindowLabel: Sendable, Equatable {
  /// Patch of the whole grid.
  package let patch: Int
  /// Index in the word list.
  package let word: Int

  /// A patch and a word.
  package init(patch: Int, word: Int) {
    self.patch = patch
    self.word = word
  }
}

/// Makes and reads records; `Documentation/Labels.md` draws them.
package struct LabelRecordFormat: Sendable {
  let grid: LabelGrid
  let topN: Int
  let indexBytes: Int
  let wordCount: Int
  let presampling: Presampling?

  /// The form of a file's records.
  package init(_ header: LabelHeader) {
    grid = header.grid
    topN = header.topN
    indexBytes = header.indexBytes
    wordCount = header.wordCount
    presampling = header.presampling
  }

  /// Bytes before the labels: checksum, flags, scale.
  package static let headBytes = 12

  /// The picture could not be used and has no labels.
  static let skippedFlag: UInt8 = 1

  /// Patches, or windows, with a nibble each, or a byte.
  private var tableBytes: Int {
    let cells = presampling.map { grid.windows(side: $0.window).patches } ?? grid.patches
    return hasNibbles ? (cells + 1) / 2 : cells
  }

  private var hasNibbles: Bool {
    presampling.map { $0.window * $0.window < 15 } ?? (topN <= 15)
  }

  /// Bytes that a record has at least, and at most.
  var byteCounts: ClosedRange<Int> {
    let least = Self.headBytes + tableBytes
    if let presampling {
      let size = least + grid.windows(side: presampling.window).patches * indexBytes
      return size...size
    }
    return least...least + grid.patches * topN * (indexBytes + 1)
  }

  /// Marks a window without labels.
  private var noOffset: UInt8 { hasNibbles ? 15 : 255 }

  // MARK: - Writing

  /// A record of a picture that could not be used.
  package func skipped() -> [UInt8] {
    presampling == nil
      ? encode(labels: [[PatchLabel]](repeating: [], count: grid.patches), isSkipped: true)
      : encode(
        draws: [WindowLabel?](
          repeating: nil,
          count: presampling.map { grid.windows(side: $0.window).patches } ?? 0
        ),
        isSkipped: true
      )
  }

  /// A record of all labels: of each patch, at most `topN`, by falling score.
  package func encode(labels: [[PatchLabel]], isSkipped: Bool = false) -> [UInt8] {
    precondition(labels.count == grid.patches, "\(labels.count) patches of \(grid.patches)")
    let largest = labels.reduce(0) { max($0, $1.first?.score ?? 0) }
    let scale = largest / 255
    var bytes = head(scale: scale, isSkipped: isSkipped)
    appendTable(labels.map { UInt8($0.count) }, to: &bytes)
    for label in labels.joined() {
      append(index: label.word, to: &bytes)
      let code = scale > 0 ? (label.score / scale).rounded() : 1
      bytes.append(UInt8(min(max(code, 1), 255)))
    }
    return Self.sealed(bytes)
  }

  /// A record of draws, one for each window or nil.
  package func encode(draws: [WindowLabel?], isSkipped: Bool = false) -> [UInt8] {
    let side = presampling?.window ?? 1
    var bytes = head(scale: 0, isSkipped: isSkipped)
    let offsets = draws.map { draw in
      draw.map { draw in
        UInt8(
          draw.patch / grid.columns % side * side + draw.patch % grid.columns % side
        )
      } ?? noOffset
    }
    appendTable(offsets, to: &bytes)
    for draw in draws { append(index: draw?.word ?? 0, to: &bytes) }
    return Self.sealed(bytes)
  }

  private func head(scale: Float, isSkipped: Bool) -> [UInt8] {
    [0, 0, 0, 0, isSkipped ? Self.skippedFlag : 0, 0, 0, 0] + LittleEndian.bytes(scale.bitPattern)
  }

  private func appendTable(_ values: [UInt8], to bytes: inout [UInt8]) {
    guard hasNibbles else {
      bytes += values
      return
    }
    for index in stride(from: 0, to: values.count, by: 2) {
      let high = index + 1 < values.count ? values[index + 1] : 0
      bytes.append(values[index] | high << 4)
    }
  }

  private func append(index: Int, to bytes: inout [UInt8]) {
    for byte in 0..<indexBytes { bytes.append(UInt8(truncatingIfNeeded: index >> (8 * byte))) }
  }

  /// Puts the checksum of what follows it at the start.
  private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    let crc = LittleEndian.bytes(CRC32C.checksum(Array(bytes[4...])))
    bytes.replaceSubrange(0..<4, with: crc)
    return bytes
  }

  // MARK: - Reading

  /// What is wrong with a record.
  package struct Damage: Error, Equatable {
    /// What is wrong, without the file and the record.
    package let problem: String
  }

  /// Refuses a record whose checksum does not hold.
  ///
  /// - Throws: `Damage`.
  func check(_ bytes: ByteView) throws(Damage) {
    guard byteCounts.contains(bytes.count) else {
      throw Damage(problem: "\(bytes.count) bytes, expected \(byteCounts)")
    }
    var crc = CRC32C()
    bytes.slice(4..<bytes.count).withSpan { crc.update($0) }
    guard crc.value == bytes.loadLittleEndian(at: 0, as: UInt32.self) else {
      throw Damage(problem: "its checksum does not hold: the file is damaged")
    }
    guard bytes[4] <= Self.skippedFlag, bytes[5] == 0, bytes[6] == 0, bytes[7] == 0 else {
      throw Damage(problem: "unknown flags")
    }
  }

  /// True when the picture could not be used.
  func isSkipped(_ bytes: ByteView) -> Bool { bytes[4] & Self.skippedFlag != 0 }

  /// The labels of every patch.
  ///
  /// - Throws: `Damage`.
  package func labels(_ bytes: ByteView) throws(Damage) -> [[PatchLabel]] {
    try check(bytes)
    let scale = Float(bitPattern: bytes.loadLittleEndian(at: 8, as: UInt32.self))
    guard scale.isFinite, scale >= 0 else { throw Damage(problem: "the scale is \(scale)") }
    var position = Self.headBytes + tableBytes
    var result: [[PatchLabel]] = []
    result.reserveCapacity(grid.patches)
    for patch in 0..<grid.patches {
      let count = Int(cell(patch, bytes))
      guard count <= topN, bytes.count - position >= count * (indexBytes + 1) else {
        throw Damage(problem: "patch \(patch) has more labels than there are bytes or than top-n")
      }
      var labels: [PatchLabel] = []
      labels.reserveCapacity(count)
      for _ in 0..<count {
        let word = try self.word(at: position, bytes)
        let code = bytes[position + indexBytes]
        guard code > 0 else { throw Damage(problem: "a label of patch \(patch) has score 0") }
        labels.append(PatchLabel(word: word, score: Float(code) * scale))
        position += indexBytes + 1
      }
      result.append(labels)
    }
    guard position == bytes.count else {
      throw Damage(problem: "\(bytes.count - position) bytes too many")
    }
    return result
  }

  /// The draw of every window.
  ///
  /// - Throws: `Damage`.
  package func draws(_ bytes: ByteView) throws(Damage) -> [WindowLabel?] {
    try check(bytes)
    guard let presampling else { throw Damage(problem: "not a presampled file") }
    let windows = grid.windows(side: presampling.window).patches
    let first = Self.headBytes + tableBytes
    var result: [WindowLabel?] = []
    result.reserveCapacity(windows)
    for window in 0..<windows {
      let offset = cell(window, bytes)
      if offset == noOffset {
        result.append(nil)
        continue
      }
      guard
        let patch = grid.patch(ofWindow: window, side: presampling.window, offset: Int(offset))
      else { throw Damage(problem: "window \(window) has offset \(offset)") }
      let word = try self.word(at: first + window * indexBytes, bytes)
      result.append(WindowLabel(patch: patch, word: word))
    }
    return result
  }

  private func cell(_ index: Int, _ bytes: ByteView) -> UInt8 {
    guard hasNibbles else { return bytes[Self.headBytes + index] }
    let byte = bytes[Self.headBytes + index / 2]
    return index % 2 == 0 ? byte & 15 : byte >> 4
  }

  private func word(at position: Int, _ bytes: ByteView) throws(Damage) -> Int {
    var word = 0
    for byte in 0..<indexBytes { word |= Int(bytes[position + byte]) << (8 * byte) }
    guard word < wordCount else { throw Damage(problem: "word \(word) of \(wordCount)") }
    return word
  }
}

/// Integers as bytes, the lowest first.
package enum LittleEndian {
  /// The bytes of an integer.
  package static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
