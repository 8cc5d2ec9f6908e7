// SPDX-License-Identifier: Apache-2.0
// What is known to be in each cell of a picture: words of a label file, or of a world's masks.

internal import SEAFormat
package import SEAImage
package import SEALabels
internal import SEATensor

/// Words that are right for the parts of one picture.
package struct PatchTruth: Sendable {
  /// `[rows · columns]`: words in lower case; empty where nothing is known.
  private let words: [[String]]
  private let rows: Int
  private let columns: Int
  /// A picture's point in pixels as a place of the grid, in cells.
  private let place: @Sendable (Double, Double) -> (x: Double, y: Double)

  /// The right words at a point of the picture in pixels, nil where nothing is known.
  package func words(x: Double, y: Double) -> [String]? {
    let (column, row) = place(x, y)
    guard column >= 0, row >= 0, column < Double(columns), row < Double(rows) else { return nil }
    let known = words[Int(row) * columns + Int(column)]
    return known.isEmpty ? nil : known
  }

  // MARK: - Labels

  /// The labels of a picture; nil when the file has none of its names.
  ///
  /// The labels' own grid and geometry are used: they may differ from a model's.
  ///
  /// - Parameters:
  ///   - file: whole or presampled labels.
  ///   - names: what the picture may be called, the likeliest first.
  ///   - picture: its size.
  /// - Throws: `LabelError` for a damaged record, `ImageError` when the stored recipe refuses the size.
  package init?(_ file: LabelFile, names: [String], picture: ImageSize) throws {
    guard let record = names.lazy.compactMap({ file.record(forKey: $0) }).first else { return nil }
    var words = [[String]](repeating: [], count: file.grid.patches)
    if file.header.presampling == nil {
      for (patch, labels) in try file.labels(ofRecord: record).enumerated() {
        words[patch] = labels.map { file.word($0.word).lowercased() }
      }
    } else {
      for draw in try file.draws(ofRecord: record).compactMap(\.self) {
        words[draw.patch] = [file.word(draw.word).lowercased()]
      }
    }
    let view = try PictureView(file.recipe, picture: picture)
    // Patches are whole pixels; what remains at the right and below belongs to none.
    let patch = max(view.output.width / file.grid.columns, 1)
    self.words = words
    rows = file.grid.rows
    columns = file.grid.columns
    place = { x, y in
      let (left, top) = view.inverse(x: x, y: y)
      return (left / Double(patch), top / Double(patch))
    }
  }

  // MARK: - Masks

  /// The masks of a picture, lines of JSON as `sea world` writes them; nil when no line names it.
  ///
  /// - Throws: `EvaluatorError.record` for a line that is no such record.
  package init?(masks path: String, names: [String], picture: ImageSize) throws(EvaluatorError) {
    guard let record = try Self.record(path, names: names) else { return nil }
    let (json, line) = record
    func refuse(_ problem: String) -> EvaluatorError {
      .record(path: path, place: "line \(line)", problem: problem)
    }
    guard let side = json["grid"]?.int, (1...1024).contains(side) else {
      throw refuse("grid: expected a whole number from 1 to 1024")
    }
    guard let phrases = json["phrases"]?.array, let patches = json["patches"]?.array,
      patches.count == side * side
    else { throw refuse("phrases and patches: expected lists, patches of \(side * side) lists") }
    let texts = phrases.map { phrase -> [String] in
      let text = (phrase.string ?? "").lowercased()
      return [text] + text.split(separator: " ").map(String.init)
    }
    var words: [[String]] = []
    for patch in patches {
      var known: [String] = []
      for index in patch.array ?? [] {
        guard let index = index.int, texts.indices.contains(index) else {
          throw refuse("patches: expected places in a list of \(texts.count) phrases")
        }
        known += texts[index]
      }
      words.append(known)
    }
    self.words = words
    rows = side
    columns = side
    let (width, height) = (Double(picture.width), Double(picture.height))
    place = { x, y in (x / width * Double(side), y / height * Double(side)) }
  }

  /// The first line whose `image` is one of the names.
  private static func record(
    _ path: String,
    names: [String]
  ) throws(EvaluatorError) -> (json: JSONValue, line: Int)? {
    let file: MappedFile
    do throws(FileError) { file = try MappedFile(path: path) } catch { throw .file(error) }
    let wanted = Array((names.last ?? "").utf8)
    let bytes = file.bytes.array()
    var line = 0
    for text in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      line += 1
      // Lines are long and many: one that does not hold the picture's last name is not parsed.
      guard !text.isEmpty, !wanted.isEmpty, text.contains(wanted) else { continue }
      let json: JSONValue
      do throws(JSONError) {
        json = try JSONScanner.parse(Array(text))
      } catch {
        throw .record(path: path, place: "line \(line)", problem: "\(error)")
      }
      if let image = json["image"]?.string, names.contains(image) { return (json, line) }
    }
    return nil
  }
}
