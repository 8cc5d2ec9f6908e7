// SPDX-License-Identifier: Apache-2.0
// What world is wanted.

/// How a world is made.
package struct WorldOptions: Sendable, Equatable {
  /// Scenes.
  package var count: Int
  package var seed: UInt64
  /// Width and height of a picture, in pixels; a multiple of the patch.
  package var side: Int
  package var split: Split
  /// Texts without pictures; nil: one for each scene.
  package var texts: Int?
  /// Also write which patches show what.
  package var writesMasks: Bool
  /// Also write the published benchmarks' files over these pictures.
  package var writesBenchmarks: Bool

  /// The usual world.
  package init(
    count: Int,
    seed: UInt64 = 0,
    side: Int = 112,
    split: Split = .train,
    texts: Int? = nil,
    writesMasks: Bool = false,
    writesBenchmarks: Bool = false
  ) {
    self.count = count
    self.seed = seed
    self.side = side
    self.split = split
    self.texts = texts
    self.writesMasks = writesMasks
    self.writesBenchmarks = writesBenchmarks
  }

  /// Texts in `text.jsonl`.
  package var textCount: Int { texts ?? count }

  /// Sides a picture can have: 8, 10 or 12 patches.
  package static let sides = [112, 140, 168]
  /// Width and height of a patch, in pixels.
  package static let patch = 14
  /// Questions behind one picture in `conversations.json`.
  package static let turns = 8
  /// Questions about one held-out picture in `questions.jsonl`.
  package static let questions = 4
  /// Changes when the same seed gives another world.
  package static let version = 1
}

/// The files of a world.
package enum WorldFile {
  package static let images = "images"
  package static let captions = "captions.json"
  package static let conversations = "conversations.json"
  package static let text = "text.jsonl"
  package static let questions = "questions.jsonl"
  package static let words = "words.txt"
  package static let masks = "masks.jsonl"
  package static let summary = "world.json"
  package static let progress = "world.partial.json"
  package static let benchmarks = "benchmarks"
}
