// SPDX-License-Identifier: Apache-2.0
// The stored bytes of one random tensor, piece by piece.

import SEAModel
import SEATensor

/// Makes pieces of a tensor's stored bytes directly, without f32 weights in between.
///
/// Codes are uniform, which no trained tensor's are, and scales differ from row to row and group to
/// group; sizes are chosen so that a layer's outputs are about as large as its inputs.
struct PresetTensor: Sendable {
  let spec: TensorSpec

  private let words: RandomWords

  init(_ spec: TensorSpec, seed: UInt64) {
    self.spec = spec
    words = RandomWords(seed: seed, name: spec.name)
  }

  /// Rows of a piece: a panel, or so many that the bytes are worth a call.
  var pieceRows: Int {
    guard spec.format == nil else { return PackedMatrix.panelRows }
    return min(max(spec.rows, 1), max(1, Self.plainBytes / (spec.columns * spec.elementType.size)))
  }

  private static let plainBytes = 256 << 10

  /// Pieces of the tensor.
  var pieces: Int { (spec.rows + pieceRows - 1) / pieceRows }

  /// Stored bytes of piece `index`.
  func byteCount(piece index: Int) -> Int {
    spec.storedBytes(rows: rows(index).count)
  }

  /// Bytes between pieces in a buffer: whole 64-bit words of a full piece.
  var strideBytes: Int { (spec.storedBytes(rows: pieceRows) + 63) / 64 * 64 }

  private func rows(_ piece: Int) -> Range<Int> {
    piece * pieceRows..<min((piece + 1) * pieceRows, spec.rows)
  }

  /// Fills `out`, the words of piece `index`; the last may hold bytes beyond the piece.
  func fill(piece index: Int, into out: inout MutableSpan<UInt64>) {
    switch (spec.format, spec.storage) {
    case (.int8(let group), _): fillPanel(index, group: group, into: &out)
    case (.int4, _): fillInt4Panel(index, into: &out)
    case (nil, .bfloat16): fillBFloat16(index, into: &out)
    case (nil, _): fillFloat(index, into: &out)
    }
  }

  // MARK: - Sizes

  /// Largest magnitude of a uniform weight whose layer keeps the size of its input.
  private var amplitude: Float { (3 / Float(max(spec.columns, 1))).squareRoot() }

  /// The values of vectors: factors of norms about 1, everything else small.
  private var vectorRange: (center: Float, width: Float) {
    let isFactor = spec.name.contains("norm") && spec.name.hasSuffix(".weight")
    return isFactor ? (1, 0.1) : (0, 0.02)
  }

  // MARK: - Forms

  /// A panel: blocks of codes and scales as `CSIMD/internal/q8_panel.h` draws them.
  private func fillPanel(_ panel: Int, group: Int, into out: inout MutableSpan<UInt64>) {
    let panelRows = PackedMatrix.panelRows
    let rowsHere = rows(panel).count
    let codeWords = panelRows * group / 8
    let blockWords = codeWords + panelRows / 2
    let blocks = out.count / blockWords
    let first = panel * out.count
    let base = amplitude / 127
    for block in 0..<blocks {
      let start = block * blockWords
      for word in start..<start + codeWords { out[word] = words[first + word].codes }
      if rowsHere < panelRows || (block + 1) * group > spec.columns {
        let inputs = min(spec.columns - block * group, group)
        clearPadding(start, group: group, inputs: inputs, rowsHere, &out)
      }
      for pair in 0..<panelRows / 2 {
        let word = start + codeWords + pair
        let bits = words[first + word]
        let low = 2 * pair < rowsHere ? scale(UInt32(truncatingIfNeeded: bits), base) : 0
        let high = 2 * pair + 1 < rowsHere ? scale(UInt32(truncatingIfNeeded: bits >> 32), base) : 0
        out[word] = UInt64(low.bitPattern) | UInt64(high.bitPattern) << 32
      }
    }
  }

  /// 0.75 to 1.25 times `base`.
  private func scale(_ bits: UInt32, _ base: Float) -> Float {
    base * (0.75 + Float(bits >> 8) * (0.5 / 16_777_216))
  }

  /// Gives padding rows and inputs the code of zero, 128; a word holds 4 inputs of 2 rows.
  private func clearPadding(
    _ start: Int,
    group: Int,
    inputs: Int,
    _ rowsHere: Int,
    _ out: inout MutableSpan<UInt64>
  ) {
    let panelRows = PackedMatrix.panelRows
    for quad in 0..<group / 4 {
      for pair in 0..<panelRows / 2 {
        var value = out[start + quad * panelRows / 2 + pair]
        for byte in 0..<8
        where 2 * pair + byte / 4 >= rowsHere || 4 * quad + byte % 4 >= inputs {
          value = value & ~(0xff << UInt64(8 * byte)) | 0x80 << UInt64(8 * byte)
        }
        out[start + quad * panelRows / 2 + pair] = value
      }
    }
  }

  /// An int4 panel: blocks of codes, then a word of factors and scale for each row, as
  /// `CSIMD/internal/q4_panel.h` draws them.
  private func fillInt4Panel(_ panel: Int, into out: inout MutableSpan<UInt64>) {
    let panelRows = PackedMatrix.panelRows
    let group = PackedFormat.int4.group
    let codeWords = panelRows * group / 16
    let blockWords = codeWords + panelRows / 2
    let rowsHere = rows(panel).count
    let first = panel * out.count
    // A code less 8 times a factor is at most 120.
    let base = amplitude / 120
    for block in 0..<out.count / blockWords {
      let start = block * blockWords
      let inputs = min(spec.columns - block * group, group)
      for word in 0..<codeWords {
        var value = words[first + start + word]
        if rowsHere < panelRows || inputs < group {
          value = clearInt4Padding(value, word, inputs: inputs, rowsHere)
        }
        out[start + word] = value
      }
      for pair in 0..<panelRows / 2 {
        let word = start + codeWords + pair
        let bits = words[first + word]
        let low = 2 * pair < rowsHere ? int4Word(UInt32(truncatingIfNeeded: bits), base) : 0
        let high =
          2 * pair + 1 < rowsHere ? int4Word(UInt32(truncatingIfNeeded: bits >> 32), base) : 0
        out[word] = UInt64(low) | UInt64(high) << 32
      }
    }
  }

  /// Random factors, and a scale of 0.75 to 1.25 times `base`.
  private func int4Word(_ bits: UInt32, _ base: Float) -> UInt32 {
    let value = scale(bits, base) * 0x1p-105
    return (value.bitPattern & 0x0fff_0000) << 4 | bits & 0xf_ffff
  }

  /// Gives padding rows and inputs the code of zero, 8; a word holds 4 inputs of rows r, r + 1, and of
  /// those 16 further on in the upper halves of its bytes.
  private func clearInt4Padding(
    _ value: UInt64,
    _ word: Int,
    inputs: Int,
    _ rowsHere: Int
  ) -> UInt64 {
    var value = value
    for byte in 0..<8 {
      let row = word % 8 * 2 + byte / 4
      let isPadding = word / 8 * 4 + byte % 4 >= inputs
      for (part, row) in [row, row + 16].enumerated() where isPadding || row >= rowsHere {
        let shift = UInt64(8 * byte + 4 * part)
        value = value & ~(0xf << shift) | 0x8 << shift
      }
    }
    return value
  }

  /// Four values a word, rounded towards zero from 16 random bits each.
  private func fillBFloat16(_ piece: Int, into out: inout MutableSpan<UInt64>) {
    let first = piece * strideBytes / 8
    let unit = amplitude / 32_768
    for index in 0..<out.count {
      let bits = words[first + index]
      var word: UInt64 = 0
      for lane in 0..<4 {
        let value = Float(Int16(truncatingIfNeeded: bits >> UInt64(16 * lane))) * unit
        word |= UInt64(value.bitPattern >> 16) << UInt64(16 * lane)
      }
      out[index] = word
    }
  }

  /// Two values a word, from 24 random bits each.
  private func fillFloat(_ piece: Int, into out: inout MutableSpan<UInt64>) {
    let first = piece * strideBytes / 8
    let (center, width) = spec.isVector ? vectorRange : (0, amplitude)
    let unit = width / 8_388_608
    for index in 0..<out.count {
      let bits = words[first + index]
      let low = center + Float(Int32(truncatingIfNeeded: bits) >> 8) * unit
      let high = center + Float(Int32(truncatingIfNeeded: bits >> 32) >> 8) * unit
      out[index] = UInt64(low.bitPattern) | UInt64(high.bitPattern) << 32
    }
  }
}
