// SPDX-License-Identifier: Apache-2.0
// What each patch of a picture shows, as the painter knows it.

internal import SEAFormat

/// Phrases by patch, for a loss that looks at every patch.
package enum Masks {
  /// A thing shows in a patch when it covers at least this share of it.
  package static let minimumShare = 0.15
  /// A digit shows in a patch when its ink covers at least this share of it: strokes are thin.
  package static let minimumInk = 0.05
  private static let grounds = ["sky", "sea", "sand"]

  /// One line of `masks.jsonl`.
  ///
  /// `phrases` are those of the things in order, then the grounds'; `patches` holds, row by row, the
  /// indices of the phrases that a patch shows, the largest share first: things that cover 15 % of it,
  /// or else the ground. `words` are the words of each phrase (`parts` names their places), `grounds` the number of phrases at the end
  /// that are grounds, and `marks` the digits that can be read, each with the patches that show its ink.
  package static func record(
    _ scene: Scene,
    _ picture: ScenePainter.Picture,
    image: String
  ) -> String {
    let grid = picture.side / WorldOptions.patch
    let things = scene.things.count
    let words = scene.things.map { [$0.hue.word, $0.kind.word] } + grounds.map { [$0] }
    let phrases = words.map { $0.joined(separator: " ") }
    var patches: [JSONValue] = []
    for row in 0..<grid {
      let middle = (Double(row) + 0.5) / Double(grid)
      let ground =
        things
        + (middle < ScenePainter.horizon ? 0 : middle < ScenePainter.shore ? 1 : 2)
      for column in 0..<grid {
        let shown = shares(picture, row: row, column: column, things: things)
        let indices = shown.isEmpty ? [ground] : shown
        patches.append(.array(indices.map { .number(JSONNumber($0)) }))
      }
    }
    let line: JSONValue = [
      "image": .string(image), "grid": .number(JSONNumber(grid)),
      "phrases": .array(phrases.map { .string($0) }), "patches": .array(patches),
      "words": .array(words.map { .array($0.map { .string($0) }) }),
      "parts": ["colour", "kind"],
      "grounds": .number(JSONNumber(grounds.count)), "marks": marks(picture),
    ]
    return line.serialized()
  }

  /// Indices of the things that show in a patch, the largest first.
  static func shares(
    _ picture: ScenePainter.Picture,
    row: Int,
    column: Int,
    things: Int
  ) -> [Int] {
    let patch = WorldOptions.patch
    var counts = [Int](repeating: 0, count: things + 1)
    for y in row * patch..<(row + 1) * patch {
      for x in column * patch..<(column + 1) * patch {
        let owner = Int(picture.owners[y * picture.side + x])
        if owner <= things { counts[owner] += 1 }
      }
    }
    let least = Int((minimumShare * Double(patch * patch)).rounded(.up))
    return (0..<things).filter { counts[$0 + 1] >= least }
      .sorted { (counts[$1 + 1], $0) < (counts[$0 + 1], $1) }
  }

  /// The digits in ascending order, each with the patches that show it.
  private static func marks(_ picture: ScenePainter.Picture) -> JSONValue {
    let patch = WorldOptions.patch
    let grid = picture.side / patch
    var ink: [UInt8: [Int]] = [:]
    for y in 0..<grid * patch {
      for x in 0..<grid * patch {
        let mark = picture.marks[y * picture.side + x]
        guard mark > 0 else { continue }
        ink[mark, default: [Int](repeating: 0, count: grid * grid)][y / patch * grid + x / patch] +=
          1
      }
    }
    let least = Int((minimumInk * Double(patch * patch)).rounded(.up))
    var object = JSONObject()
    for (mark, counts) in ink.sorted(by: { $0.key < $1.key }) {
      let patches = counts.indices.filter { counts[$0] >= least }
      if !patches.isEmpty {
        object["\(mark - 1)"] = .array(patches.map { .number(JSONNumber($0)) })
      }
    }
    return .object(object)
  }
}
