// SPDX-License-Identifier: Apache-2.0
// Columns of text, aligned.

/// A table: the first two columns to the left, the others, which are numbers, to the right.
struct TextTable {
  private var rows: [[String]]

  /// A table with these headings.
  init(_ headings: [String]) {
    rows = [headings]
  }

  /// Adds a row with as many cells as there are headings.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == rows[0].count, "\(cells.count) cells for \(rows[0].count) columns")
    rows.append(cells)
  }

  /// The rows, one a line.
  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        line += (column > 0 ? "  " : "") + (column < 2 ? cell + space : space + cell)
      }
      return line + "\n"
    }.joined()
  }
}
