// SPDX-License-Identifier: Apache-2.0
// Unicode normalisation forms C and D in linear time, however many marks pile up on a letter.

@_spi(_Unicode) import Swift

/// Canonical composition or decomposition.
///
/// The standard library does the work, except for long runs of combining marks: it orders marks by
/// insertion, which takes quadratic time. Those runs are ordered here by sorting. Characters younger
/// than Unicode 9 pass unchanged, because the reference library's tables are of that version.
/// - Source: Unicode Standard Annex 15; sections 3.6 and 3.11 of the standard.
struct CanonicalForm {
  /// Whether the form is C.
  let composes: Bool

  /// Runs up to this length are left to the standard library.
  private static let longestRun = 64

  /// Appends the form of `text[range]`, which must be well-formed.
  func append(_ text: [UInt8], _ range: Range<Int>, to output: inout [UInt8]) {
    let source = text.span
    var start = range.lowerBound
    var index = start
    while index < range.upperBound {
      let scalar = ScalarReader.read(source, at: index)
      if Self.isInert(scalar.value) {
        write(form(String(decoding: text[start..<index], as: UTF8.self)), to: &output)
        ScalarReader.append(scalar.value, to: &output)
        start = index + scalar.length
      }
      guard start <= index, Self.isMark(scalar.value) else {
        index += scalar.length
        continue
      }
      var marks: [UInt32] = []
      var end = index
      while end < range.upperBound {
        let mark = ScalarReader.read(source, at: end)
        guard Self.isMark(mark.value), !Self.isInert(mark.value) else { break }
        marks.append(mark.value)
        end += mark.length
      }
      if marks.count > Self.longestRun {
        var before = form(String(decoding: text[start..<index], as: UTF8.self))
        appendPile(marks, on: &before)
        write(before, to: &output)
        start = end
      }
      index = end
    }
    write(form(String(decoding: text[start..<range.upperBound], as: UTF8.self)), to: &output)
  }

  private func form(_ text: String) -> [UInt32] {
    composes ? text._nfc.map(\.value) : text._nfd.map(\.value)
  }

  private func write(_ scalars: [UInt32], to output: inout [UInt8]) {
    for scalar in scalars { ScalarReader.append(scalar, to: &output) }
  }

  /// Puts a long run of marks on the last letter of `scalars`, which is in form already.
  private func appendPile(_ run: [UInt32], on scalars: inout [UInt32]) {
    let base = scalars.lastIndex { !Self.isMark($0) } ?? scalars.count
    var letters: [UInt32] = []
    var marks: [(scalar: UInt32, order: UInt8)] = []
    for scalar in scalars[base...] + run {
      for part in Self.decomposition(scalar) {
        let order = Self.order(part)
        if order == 0 { letters.append(part) } else { marks.append((part, order)) }
      }
    }
    scalars.removeSubrange(base...)
    // Sorting by class and place keeps the order within a class, as the standard asks.
    let sorted = marks.indices.sorted {
      (marks[$0].order, $0) < (marks[$1].order, $1)
    }.map { marks[$0] }
    guard composes, let letter = letters.popLast() else {
      scalars += letters + sorted.map(\.scalar)
      return
    }
    var composed = letter
    var rest: [UInt32] = []
    var blocked: UInt8 = 0
    for mark in sorted {
      if mark.order > blocked, let pair = Self.composition(composed, mark.scalar) {
        composed = pair
      } else {
        rest.append(mark.scalar)
        blocked = mark.order
      }
    }
    scalars += letters + [composed] + rest
  }

  // MARK: - Characters

  /// Whether a character is younger than the tables of the reference library.
  private static func isInert(_ scalar: UInt32) -> Bool {
    guard scalar >= 0x300, let age = Unicode.Scalar(scalar)?.properties.age else { return false }
    return age.major > 9
  }

  private static func order(_ scalar: UInt32) -> UInt8 {
    Unicode.Scalar(scalar)?.properties.canonicalCombiningClass.rawValue ?? 0
  }

  /// Whether a character never starts a sequence; three vowel signs decompose into marks.
  private static func isMark(_ scalar: UInt32) -> Bool {
    scalar >= 0x300 && (order(scalar) != 0 || [0xf73, 0xf75, 0xf81].contains(scalar))
  }

  private static func decomposition(_ scalar: UInt32) -> [UInt32] {
    guard scalar >= 0xc0, let scalar = Unicode.Scalar(scalar) else { return [scalar] }
    return String(Character(scalar))._nfd.map(\.value)
  }

  private static func composition(_ letter: UInt32, _ mark: UInt32) -> UInt32? {
    guard let letter = Unicode.Scalar(letter), let mark = Unicode.Scalar(mark) else { return nil }
    var text = String.UnicodeScalarView()
    text.append(letter)
    text.append(mark)
    let form = String(text)._nfc.map(\.value)
    return form.count == 1 ? form[0] : nil
  }
}
