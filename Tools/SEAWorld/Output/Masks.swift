// SPDX-License-Identifier: Apache-2.0
// What each patch of a picture shows, as the painter knows it.

internal import SEAFormat

/// Phrases by patch, for a loss that looks at every patch.
package enum Masks {
  /// A thing shows in a patch when it covers at least this share of it.
  package static let minimumShare = 0.15

  /// One line of `masks.jsonl`.
  ///
  /// `phrases` are those of the things in order, then the grounds'; `patches` holds, row by row, the
  /// indices of the phrases that a patch shows, the largest share first: things that cover 15 % of it,
  /// or else the ground.
  package static func record(
    _ scene: Scene,
    _ picture: ScenePainter.Picture,
    image: String
  ) -> String {
    let grid = picture.side / WorldOptions.patch
    let things = scene.things.count
    let phrases = scene.things.map { "\($0.hue.word) \($0.kind.word)" } + ["sky", "sea", "sand"]
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
}
