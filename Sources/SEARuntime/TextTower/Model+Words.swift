// SPDX-License-Identifier: Apache-2.0
// Words in the form that the text tower was trained on.

import SEAModel
package import SEATensor
import SEAText

extension Model {
  /// The text tower.
  ///
  /// - Throws: `RuntimeError.missingPart`.
  package func requireTextTower() throws(RuntimeError) -> TextTower {
    guard let textTower else { throw .missingPart(name: "text tower", model: path) }
    return textTower
  }

  /// The token ids of a word or phrase, with the tower's start and end; longer texts are cut.
  ///
  /// The tokenizer lower-cases, and strips punctuation where the tower was trained without.
  ///
  /// - Throws: `RuntimeError.missingPart` without text tower or tokenizer.
  package func ids(ofWord word: String) throws(RuntimeError) -> [Int32] {
    let tower = try requireTextTower().tower
    var ids = try requireTokenizer().encode(word, recognizesSpecial: false, addsTemplate: true)
    let end = Int32(tower.endID)
    if let start = tower.startID.map({ Int32($0) }), ids.first != start {
      ids.insert(start, at: 0)
    }
    if ids.last != end { ids.append(end) }
    return ids.count <= tower.context ? ids : ids.prefix(tower.context - 1) + [end]
  }

  /// Places texts in the joint space and gives the tower's pages back afterwards.
  ///
  /// - Parameters:
  ///   - texts: token ids, as `ids(ofWord:)` makes them.
  ///   - execution: kernels and threads.
  /// - Returns: `[texts, jointWidth]`, not normalised.
  /// - Throws: `RuntimeError.missingPart` without a text tower, or what `TextTower.encode` throws.
  package func encode(
    texts: [[Int32]],
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let tower = try requireTextTower()
    defer { tower.release() }
    return try tower.encode(texts, on: execution)
  }
}
