// SPDX-License-Identifier: Apache-2.0
// A foreign checkpoint as a model under canonical names, read lazily.

package import SEAModel
package import SEATensor

/// A checkpoint of any known layout, opened: description, tensors, tokenizer and account.
///
/// Nothing but headers and configuration has been read. Every tensor of the plan is there, has the
/// planned shape, and is produced row by row.
package struct SourceModel: WeightSource {
  package let model: ModelDescription
  package let layout: SourceLayout
  /// The folder whose tokenizer belongs to the language model, if there is one.
  package let tokenizerFolder: String?
  /// What became of every tensor of the checkpoint, and what was decided.
  package let inventory: Inventory
  /// Every file and folder that was opened, in order.
  package let openedPaths: [String]
  private let parts: [String: SourcePart]

  init(
    model: ModelDescription,
    layout: SourceLayout,
    tokenizerFolder: String?,
    inventory: Inventory,
    openedPaths: [String],
    parts: [String: SourcePart],
  ) {
    self.model = model
    self.layout = layout
    self.tokenizerFolder = tokenizerFolder
    self.inventory = inventory
    self.openedPaths = openedPaths
    self.parts = parts
  }

  /// The canonical names of its tensors, sorted.
  package var names: [String] { parts.keys.sorted() }

  /// The foreign tensor behind a canonical name, and which of its rows are meant.
  package func part(_ name: String) -> SourcePart? { parts[name] }

  package func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard let part = parts[name] else { throw ModelError.missingTensor(name: name) }
    part.read(rows, into: out)
  }

  package func release(_ name: String) {
    parts[name]?.release()
  }

  /// Refuses weights that are not finite numbers.
  ///
  /// - Throws: `CheckpointError.notFinite` for the first such tensor, by canonical name.
  package func refuseNonFinite() throws(CheckpointError) {
    for name in names {
      guard let part = parts[name] else { continue }
      let count = part.nonFiniteCount()
      guard count == 0 else {
        throw .notFinite(path: part.tensor.path, tensor: part.tensor.name, count: count)
      }
    }
  }
}

/// Rows of a foreign tensor that make up one canonical tensor.
package struct SourcePart: Sendable {
  package let tensor: SourceTensor
  /// Rows of the foreign tensor's matrix view.
  package let rows: Range<Int>
  /// Added to every value: Gemma's norms store what exceeds 1.
  package let addend: Float
  /// What a low-rank fine-tuning adds.
  var delta: LowRankDelta?

  init(tensor: SourceTensor, rows: Range<Int>, addend: Float) {
    self.tensor = tensor
    self.rows = rows
    self.addend = addend
  }

  /// The stored element type when the part has exactly the stored values, else nil.
  package var storedType: ElementType? { addend == 0 && delta == nil ? tensor.type : nil }

  /// Reads rows, counted from the first of this part, with everything added that is to be added.
  ///
  /// - Parameters:
  ///   - range: rows of this part.
  ///   - out: `[range.count, columns]`.
  package func read(_ range: Range<Int>, into out: MatrixView<Float>) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rows.count && out.rows == range.count
        && out.columns == tensor.columns,
      "rows \(range) of \(rows.count)×\(tensor.columns) into \(out.rows)×\(out.columns)"
    )
    var values: [Float] = []
    let right = delta?.rightValues() ?? []
    var start = range.lowerBound
    while start < range.upperBound {
      let stop = min(range.upperBound, start + tensor.rowsPerChunk)
      tensor.readRows(rows.lowerBound + start..<rows.lowerBound + stop, into: &values)
      if addend != 0 { for index in values.indices { values[index] += addend } }
      delta?.add(start..<stop, to: &values, right: right)
      out.rows(start - range.lowerBound..<stop - range.lowerBound).copy(from: values)
      start = stop
    }
  }

  /// Gives the pages of these rows back to the system.
  package func release() {
    tensor.releaseRows(rows)
    delta?.release()
  }

  /// Number of stored values that are NaN or infinite.
  func nonFiniteCount() -> Int {
    tensor.nonFiniteCount(ofRows: rows) + (delta?.nonFiniteCount() ?? 0)
  }
}
