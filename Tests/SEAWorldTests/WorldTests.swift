// SPDX-License-Identifier: Apache-2.0
// A world is the same for everyone, keeps its held-out part apart, and says what it shows.

import Foundation
import SEADrawing
import SEAFormat
import SEAImage
import SEATensor
import SEAWorld
import TestSupport
import Testing

@Suite struct WorldTests {
  private func write(
    _ options: WorldOptions,
    threads: Int = 2,
    resumes: Bool = false,
    to folder: TemporaryFolder
  ) throws -> JSONValue {
    try WorldWriter(options, to: folder.file("world")).write(
      resumes: resumes,
      pool: WorkerPool(threads: threads)
    )
  }

  /// Every file of a folder by name.
  private func files(_ folder: TemporaryFolder) throws -> [String: [UInt8]] {
    var result: [String: [UInt8]] = [:]
    for name in folder.names where !name.hasSuffix("images") && name.contains(".") {
      result[name] = try folder.read(name)
    }
    return result
  }

  @Test func sameSeedGivesSameBytesForAnyThreadCount() throws {
    let options = WorldOptions(
      count: 40,
      seed: 5,
      split: .heldout,
      writesMasks: true,
      writesBenchmarks: true
    )
    let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
    let summary = try write(options, threads: 1, to: first)
    #expect(try write(options, threads: 3, to: second) == summary)
    let files = try files(first)
    #expect(files.count > 60)
    #expect(try self.files(second) == files)
  }

  @Test func anotherSeedGivesAnotherWorld() {
    let first = SceneMaker(seed: 1, split: .train)
    let second = SceneMaker(seed: 2, split: .train)
    let same = (0..<200).count { first.scene($0).things == second.scene($0).things }
    #expect(same < 3)
  }

  @Test func continuesAfterAnInterruptionWithTheSameBytes() throws {
    let options = WorldOptions(count: 2100, seed: 9)
    let (whole, broken) = (try TemporaryFolder(), try TemporaryFolder())
    _ = try write(options, to: whole)
    var looks = 0
    #expect(throws: WorldError.cancelled(done: 1024, count: 2100)) {
      try WorldWriter(options, to: broken.file("world")).write(
        resumes: false,
        pool: WorkerPool(threads: 2),
        isCancelled: {
          looks += 1
          return looks > 1
        }
      )
    }
    #expect(throws: WorldError.self) { try write(options, to: broken) }
    // What a crash may leave: an empty picture, and one that is gone.
    try broken.write("", to: "world/images/000003.png")
    try FileManager.default.removeItem(atPath: broken.file("world/images/000004.png"))
    #expect(throws: WorldError.self) {
      try write(WorldOptions(count: 2100, seed: 10), resumes: true, to: broken)
    }
    let summary = try write(options, resumes: true, to: broken)
    #expect(try files(broken) == files(whole))
    // Once more changes nothing.
    #expect(try write(options, resumes: true, to: broken) == summary)
  }

  @Test func refusesAFolderWithOtherContent() throws {
    let folder = try TemporaryFolder()
    try folder.write("mine", to: "world/letter.txt")
    #expect(throws: WorldError.self) { try write(WorldOptions(count: 1), to: folder) }
    #expect(throws: WorldError.self) {
      try write(WorldOptions(count: 1), resumes: true, to: folder)
    }
    #expect(folder.names == ["world", "world/letter.txt"])
  }

  // MARK: - Scenes

  @Test func trainingNeverSeesHeldOutCombinations() {
    let maker = SceneMaker(seed: 3, split: .train)
    let seen = Set((0..<5000).flatMap { maker.scene($0).things.map(\.combination) })
    #expect(seen.isDisjoint(with: Combination.heldOut))
    // Everything else is seen.
    #expect(seen.count == Combination.all.count - Combination.heldOut.count)
  }

  @Test func everyHeldOutSceneHasAHeldOutCombination() {
    let maker = SceneMaker(seed: 3, split: .heldout)
    for index in 0..<1000 {
      #expect(maker.scene(index).things.contains { Combination.heldOut.contains($0.combination) })
    }
  }

  @Test func heldOutCombinationsLeaveEveryPairInTraining() {
    let share = Double(Combination.heldOut.count) / Double(Combination.all.count)
    #expect((0.13...0.17).contains(share))
    let kept = Combination.all.filter { !Combination.heldOut.contains($0) }
    for kind in Kind.allCases {
      for hue in Hue.allCases {
        #expect(kept.contains { $0.kind == kind && $0.hue == hue })
      }
      for cell in kind.cells {
        #expect(kept.contains { $0.kind == kind && $0.cell == cell })
      }
    }
    for hue in Hue.allCases {
      for cell in Cell.allCases {
        #expect(kept.contains { $0.hue == hue && $0.cell == cell })
      }
    }
  }

  @Test(arguments: Split.allCases)
  func scenesFollowTheirRules(_ split: Split) {
    let maker = SceneMaker(seed: 11, split: split)
    for index in 0..<3000 {
      let scene = maker.scene(index)
      let things = scene.things
      #expect((1...4).contains(things.count))
      #expect(Set(things.map(\.cell)).count == things.count)
      #expect(Set(things.map { "\($0.hue) \($0.kind)" }).count == things.count)
      #expect(things.allSatisfy { $0.kind.cells.contains($0.cell) })
      #expect(things.allSatisfy { $0.kind.appears(in: scene.ground) })
      let numbered = things.filter { $0.number != nil }
      #expect(numbered.allSatisfy { $0.kind.carriesNumber && $0.extent == .large })
      #expect(Set(numbered.map(\.number)).count == numbered.count)
    }
  }

  @Test(arguments: Split.allCases)
  func fortyToFiftyInAHundredScenesHaveANumber(_ split: Split) {
    let maker = SceneMaker(seed: 21, split: split)
    let count = (0..<5000).count { maker.scene($0).hasNumber }
    #expect((2000...2500).contains(count))
  }

  // MARK: - Pictures

  @Test(arguments: WorldOptions.sides)
  func picturesDecodeToWhatWasPainted(_ side: Int) throws {
    let scene = SceneMaker(seed: 1, split: .train).scene(0)
    let picture = ScenePainter.paint(scene, side: side)
    let file = try #require(
      PNGEncoder.encode(picture.pixels, width: side, height: side, note: "a note")
    )
    let image = try ImageFile.decode(bytes: file, name: "picture")
    #expect(image == PixelImage(width: side, height: side, pixels: picture.pixels))
  }

  @Test func everyThingIsSeenInItsCell() {
    let maker = SceneMaker(seed: 2, split: .train)
    for index in 0..<200 {
      let scene = maker.scene(index)
      let picture = ScenePainter.paint(scene, side: 112)
      for (number, thing) in scene.things.enumerated() {
        var (count, x, y) = (0, 0, 0)
        for (place, owner) in picture.owners.enumerated() where Int(owner) == number + 1 {
          count += 1
          x += place % 112
          y += place / 112
        }
        #expect(count > 90, "\(thing) covers \(count) pixels")
        guard count > 0 else { continue }
        #expect(x / count / 38 == thing.cell.column, "\(thing)")
        #expect((y / count < 56) == thing.cell.isTop, "\(thing)")
      }
    }
  }

  @Test func masksNameWhatPatchesShow() throws {
    let scene = SceneMaker(seed: 2, split: .train).scene(7)
    let picture = ScenePainter.paint(scene, side: 140)
    let line = Masks.record(scene, picture, image: "a.png")
    let record = try JSONScanner.parse(Array(line.utf8))
    let phrases = (record["phrases"]?.array ?? []).compactMap(\.string)
    let patches = try #require(record["patches"]?.array)
    #expect(record["grid"]?.int == 10 && patches.count == 100)
    #expect(phrases.count == scene.things.count + 3)
    let shown = Set(patches.flatMap { $0.array?.compactMap(\.int) ?? [] })
    for (index, thing) in scene.things.enumerated() {
      #expect(phrases[index] == "\(thing.hue.word) \(thing.kind.word)")
      #expect(shown.contains(index))
    }
  }

  @Test func masksNameTheWordsAndDigitsOfPatches() throws {
    var digits = 0
    for index in 0..<12 {
      let scene = SceneMaker(seed: 4, split: .train).scene(index)
      let picture = ScenePainter.paint(scene, side: 112)
      let line = Masks.record(scene, picture, image: "a.png")
      let record = try JSONScanner.parse(Array(line.utf8))
      let words = (record["words"]?.array ?? []).map { ($0.array ?? []).compactMap(\.string) }
      #expect(words.suffix(3) == [["sky"], ["sea"], ["sand"]] && record["grounds"]?.int == 3)
      #expect(words.dropLast(3) == scene.things.map { [$0.hue.word, $0.kind.word] }[...])
      let patches = (record["patches"]?.array ?? []).map { ($0.array ?? []).compactMap(\.int) }
      for entry in try #require(record["marks"]?.object).entries {
        digits += 1
        let thing = try #require(scene.things.firstIndex { $0.number == Int(entry.key) })
        let shown = (entry.value.array ?? []).compactMap(\.int)
        #expect(!shown.isEmpty && shown.count <= 9)
        // Most of a digit lies on the thing that carries it.
        #expect(shown.contains { patches[$0].contains(thing) }, "digit \(entry.key)")
      }
    }
    #expect(digits > 0)
  }
}
