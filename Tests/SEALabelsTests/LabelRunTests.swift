// SPDX-License-Identifier: Apache-2.0
// Whole runs: interrupted, damaged, cut into shards, and always the same bytes.

import Foundation
import Glibc
import SEADataset
import SEAFormat
import SEAImage
import SEALabels
import SEARuntime
import SEATensor
import TestSupport
import Testing

@Suite(.serialized) struct LabelRunTests {
  /// Pictures, data and words in a folder.
  private struct World {
    let folder: Folder
    let data: String
    let cache: LabelCache

    init(images: Int = 40) throws {
      folder = try Folder()
      cache = try LabelCache(folder: folder / "cache")
      let names = [
        "bilevel_33x50.png", "gray_150x100.jpg", "gray_97x131.png", "palette_trans_101x77.png",
        "rgb16_64x75.png", "lossy_61x47.webp", "lossless_50x37.webp",
      ]
      try FileManager.default.createDirectory(
        atPath: folder / "images",
        withIntermediateDirectories: true
      )
      var lines = ""
      for index in 0..<images {
        let source = names[index % names.count]
        let name = "p\(index)-\(source)"
        try FileManager.default.copyItem(
          atPath: Fixtures.path("SEAImageTests", source),
          toPath: folder / "images/\(name)"
        )
        lines += #"{"id":"i\#(index)","image":"\#(name)","conversations":["#
        lines +=
          #"{"from":"human","value":"<image>\n?"},{"from":"gpt","value":"a cat and a dog"}]}"#
        lines += "\n"
      }
      // Text only, and the first picture again under another id.
      lines +=
        #"{"id":"t","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
      lines += "\n"
      lines += #"{"id":"again","image":"p0-\#(names[0])","conversations":["#
      lines += #"{"from":"human","value":"<image>\n?"},{"from":"gpt","value":"a"}]}"#
      data = try folder.write("data.jsonl", lines)
    }

    func run(
      _ output: String,
      threads: Int = 2,
      _ change: (inout LabelSettings) -> Void = { _ in },
      tell: (LabelNews) -> Void = { _ in },
      isCancelled: () -> Bool = { false }
    ) throws -> LabelHeader {
      let execution = try execution(threads)
      let encoder = try Encoders.open(cache, on: execution)
      let words = try Encoders.words()
      var settings = LabelSettings(feature: .standard(for: encoder.encoder))
      change(&settings)
      let run = try LabelRun(
        output: output,
        data: LabelData(
          path: data,
          images: folder / "images",
          skipsBad: settings.skipsBad
        ),
        encoder: encoder,
        words: words,
        matrix: WordEmbedding(encoder, words: words, prompts: .bare, on: execution)
          .matrix(cache: cache),
        prompts: .bare,
        settings: settings,
        on: execution
      )
      return try run.run(tell: tell, isCancelled: isCancelled)
    }
  }

  @Test func aFileHoldsEveryPictureUnderItsNames() throws {
    let world = try World()
    let path = world.folder / "a.labels"
    let header = try world.run(path)
    #expect(header.sign == .negative && header.calibration == nil)
    #expect(!world.folder.exists("a.labels.work"))
    let file = try LabelFile(path: path)
    #expect(file.count == 40 && file.header == header)
    #expect(file.keyCount == 81)
    #expect(file.record(forKey: "again") == 0)
    #expect(file.record(forKey: "i7") == file.record(forKey: "p7-bilevel_33x50.png"))
    #expect(try file.labels(forKey: "i7") == file.labels(forKey: "i0"))
    #expect(file.sums.patches == 40 * 16)
    let statistics = try LabelStatistics(file)
    #expect(statistics.images == 40 && statistics.patches == 640)
    #expect(
      statistics.labels
        == statistics.labelsPerPatch.enumerated().reduce(0) {
          $0 + $1.offset * $1.element
        }
    )
    #expect(statistics.scores.counts.reduce(0, +) == statistics.labels)
    #expect(statistics.candidates == 6400 && statistics.shareDropped >= 0)
    let svg = LabelChart(statistics, name: file.word).figure.svg
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
    #expect(XMLProbe.isBalanced(svg))
    let png = try #require(LabelChart(statistics, name: file.word).figure.png)
    let image = try ImageFile.decode(bytes: png, name: "chart")
    #expect(image.width == 1760 && image.height == 1280)
    // Bars stand on the lower line of their panels.
    let bars = (100..<860).count { x in
      let start = (2 * 268 * image.width + x) * 3
      return Array(image.pixels[start..<start + 3]) == [0x2f, 0x7f, 0xb8]
    }
    #expect(bars > 10)
  }

  @Test func threadsDoNotChangeTheBytes() throws {
    let world = try World(images: 9)
    _ = try world.run(world.folder / "a.labels", threads: 1)
    _ = try world.run(world.folder / "b.labels", threads: 5)
    #expect(
      try contents(world.folder / "a.labels") == contents(world.folder / "b.labels")
    )
  }

  @Test func aRunThatIsStoppedAgainAndAgainEndsWithTheSameBytes() throws {
    let world = try World()
    _ = try world.run(world.folder / "whole.labels")
    let path = world.folder / "parts.labels"
    var stops = 0
    for step in 1...100 {
      var seen = 0
      do {
        _ = try world.run(path) {
          $0.resumes = true
        } isCancelled: {
          seen += 1
          return seen > step % 5
        }
        break
      } catch LabelError.cancelled {
        stops += 1
        #expect(!world.folder.exists("parts.labels"))
        let error = #expect(throws: LabelError.self) { try world.run(path) }
        #expect(error?.category == .usage)
      }
    }
    #expect(stops > 5)
    #expect(!world.folder.exists("parts.labels.work"))
    #expect(try contents(path) == contents(world.folder / "whole.labels"))
  }

  @Test func damagedAndMissingBlocksAreMadeAgain() throws {
    let world = try World()
    let path = world.folder / "a.labels"
    _ = try world.run(world.folder / "whole.labels")
    for _ in 0..<3 {
      var seen = 0
      #expect(throws: LabelError.cancelled) {
        try world.run(path) {
          $0.resumes = true
        } isCancelled: {
          seen += 1
          return seen >= 6
        }
      }
    }
    let work = world.folder / "a.labels.work"
    let blocks = try FileManager.default.contentsOfDirectory(atPath: work)
      .filter { $0.hasPrefix("block-") }.sorted()
    #expect(blocks.count == 3)
    var bytes = try contents("\(work)/\(blocks[0])")
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: "\(work)/\(blocks[0])"))
    try FileManager.default.removeItem(atPath: "\(work)/\(blocks[2])")
    var dropped = 0
    _ = try world.run(path) {
      $0.resumes = true
    } tell: {
      if case .resumed(_, let count) = $0 { dropped = count }
    }
    #expect(dropped == 2)
    #expect(try contents(path) == contents(world.folder / "whole.labels"))
    // What is complete stays as it is.
    _ = try world.run(path) { $0.resumes = true }
    #expect(try contents(path) == contents(world.folder / "whole.labels"))
  }

  @Test func aRunDoesNotGoOnWithOtherSettings() throws {
    let world = try World(images: 12)
    let path = world.folder / "a.labels"
    #expect(throws: LabelError.cancelled) { try world.run(path, isCancelled: { true }) }
    let error = #expect(throws: LabelError.self) {
      try world.run(path) {
        $0.resumes = true
        $0.topN = 9
      }
    }
    #expect(error?.description.contains("top_n is 10, this run has 9") == true)
    _ = try world.run(path) { $0.resumes = true }
    let other = #expect(throws: LabelError.self) {
      try world.run(path) {
        $0.resumes = true
        $0.sign = .positive
      }
    }
    #expect(other?.category == .usage)
  }

  @Test func twoRunsDoNotShareAnOutput() throws {
    let world = try World(images: 2)
    let lock = world.folder / "a.labels.work"
    try FileManager.default.createDirectory(atPath: lock, withIntermediateDirectories: false)
    let descriptor = open(lock + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    #expect(descriptor >= 0 && flock(descriptor, LOCK_EX) == 0)
    let error = #expect(throws: LabelError.self) { try world.run(world.folder / "a.labels") }
    #expect(error?.category == .busy)
    // Children of other tests may hold the descriptor for a moment; the lock ends here all the same.
    flock(descriptor, LOCK_UN)
    close(descriptor)
    _ = try world.run(world.folder / "a.labels")
  }

  @Test(arguments: [nil, Presampling(window: 2, seed: 7)])
  func shardsMergeToTheBytesOfOneRun(presampling: Presampling?) throws {
    let world = try World(images: 23)
    _ = try world.run(world.folder / "whole.labels") { $0.presampling = presampling }
    for count in [1, 3, 30] {
      var shards: [LabelFile] = []
      for index in 1...count {
        let path = world.folder / "\(count)-\(index).labels"
        let header = try world.run(path) {
          $0.presampling = presampling
          $0.shard = LabelShard(index: index, count: count)
        }
        #expect(header.shard == LabelShard(index: index, count: count))
        shards.append(try LabelFile(path: path))
      }
      let merged = world.folder / "merged.labels"
      _ = try LabelMerge.run(shards.reversed(), to: merged)
      #expect(try contents(merged) == contents(world.folder / "whole.labels"))
      if count > 1 {
        #expect(throws: LabelError.self) {
          try LabelMerge.run(Array(shards.dropLast()), to: merged)
        }
        #expect(throws: LabelError.self) { try LabelMerge.run(shards + [shards[0]], to: merged) }
      }
    }
    let whole = try LabelFile(path: world.folder / "whole.labels")
    #expect(throws: LabelError.self) { try LabelMerge.run([whole], to: world.folder / "x") }
  }

  @Test func badPicturesEndTheRunOrGetNoLabels() throws {
    let world = try World(images: 6)
    try world.folder.write("images/p2-gray_97x131.png", Array("not a picture".utf8))
    #expect(throws: (any Error).self) { try world.run(world.folder / "a.labels") }
    #expect(!world.folder.exists("a.labels"))
    var skipped: [String] = []
    _ = try world.run(world.folder / "b.labels") {
      $0.skipsBad = true
    } tell: {
      if case .skipped(let image, _) = $0 { skipped.append(image) }
    }
    #expect(skipped == ["p2-gray_97x131.png"])
    let file = try LabelFile(path: world.folder / "b.labels")
    #expect((0..<6).map { file.isSkipped($0) } == [false, false, true, false, false, false])
    #expect(try LabelStatistics(file).skipped == 1)
  }

  @Test func signsAreCalibratedWhereThereAreEnoughCaptions() throws {
    let world = try World(images: LabelRun.calibrationPairs)
    let words = try Encoders.words()
    let text = (0..<words.count).map { words[$0] }.joined(separator: ", ")
    // Every caption names words of the list.
    let captions = try String(decoding: contents(world.data), as: UTF8.self)
      .replacingOccurrences(of: "a cat and a dog", with: text)
    try world.folder.write("data.jsonl", captions)
    let header = try world.run(world.folder / "a.labels")
    let calibration = try #require(header.calibration)
    #expect(calibration.pairs == LabelRun.calibrationPairs)
    #expect(calibration.words >= calibration.pairs)
    #expect(header.sign == calibration.sign && header.signChoice == "auto")
    // All words are named, so both means are the middle of the ranks.
    let middle = Double(words.count + 1) / 2
    #expect(abs(calibration.positive - middle) < 1.5 && abs(calibration.negative - middle) < 1.5)
    #expect(try LabelFile(path: world.folder / "a.labels").header == header)
  }

  @Test func cachedWordsThatAreDamagedAreMadeAgain() throws {
    let world = try World(images: 3)
    _ = try world.run(world.folder / "a.labels")
    let names = try FileManager.default.contentsOfDirectory(atPath: world.folder / "cache")
    #expect(names.count == 3)
    for name in names {
      var bytes = try contents(world.folder / "cache/\(name)")
      bytes[bytes.count - 100] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: world.folder / "cache/\(name)"))
    }
    _ = try world.run(world.folder / "b.labels")
    #expect(try contents(world.folder / "a.labels") == contents(world.folder / "b.labels"))
  }
}

/// Whether every tag of a text is closed, which is all that a chart needs.
private enum XMLProbe {
  static func isBalanced(_ text: String) -> Bool {
    var open: [Substring] = []
    for tag in text.matches(of: /<(\/?)([a-z]+)[^<>]*?(\/?)>/) {
      if !tag.output.1.isEmpty {
        guard open.popLast() == tag.output.2 else { return false }
      } else if tag.output.3.isEmpty {
        open.append(tag.output.2)
      }
    }
    return open.isEmpty
  }
}
