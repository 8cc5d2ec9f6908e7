// SPDX-License-Identifier: Apache-2.0
// Label files: written and read back, and every way in which one can lie.

import SEAFormat
import SEAImage
import SEALabels
import SEATensor
import TestSupport
import Testing

@Suite struct LabelFileTests {
  static func header(
    words: Int = 300,
    images: Int = 3,
    grid: LabelGrid = LabelGrid(rows: 3, columns: 5),
    topN: Int = 4,
    presampling: Presampling? = nil
  ) -> LabelHeader {
    let digest = String(repeating: "a", count: 64)
    return LabelHeader(
      encoderName: "clip",
      encoderDigest: digest,
      weights: "bf16",
      wordCount: words,
      wordDigest: digest,
      promptSet: "bare",
      promptDigest: digest,
      promptCount: 1,
      feature: LabelFeature(.raw).json,
      sign: .negative,
      signChoice: "auto",
      calibration: SignCalibration(pairs: 256, words: 900, positive: 120.5, negative: 80.25),
      recipe: .clipSquare(side: 56),
      grid: grid,
      topN: topN,
      images: images,
      imageDigest: digest,
      width: 6,
      presampling: presampling,
      shard: nil
    )
  }

  static func pool(_ count: Int) -> TextPool {
    var pool = TextPool()
    for word in 0..<count { pool.insert("word \(word)".utf8) }
    return pool
  }

  /// Random labels of every patch, by falling score.
  static func labels(_ header: LabelHeader, seed: UInt64) -> [[PatchLabel]] {
    var random = SeededRandom(seed: seed)
    return (0..<header.grid.patches).map { _ in
      (0..<Int.random(in: 0...header.topN, using: &random)).map { _ in
        PatchLabel(
          word: Int.random(in: 0..<header.wordCount, using: &random),
          score: Float.random(in: 0.001...0.4, using: &random)
        )
      }.sorted { $0.score > $1.score }
    }
  }

  static func write(_ header: LabelHeader, to path: String) throws -> [[[PatchLabel]]] {
    let format = LabelRecordFormat(header)
    let writer = try LabelFileWriter(
      path: path,
      header: header,
      words: pool(header.wordCount),
      recordBytes: 0
    )
    var all: [[[PatchLabel]]] = []
    for image in 0..<header.images {
      let labels = labels(header, seed: UInt64(image))
      all.append(labels)
      try writer.append(
        ByteView(format.encode(labels: labels)),
        keys: ["pictures/\(image).jpg", "id-\(image)", "shared"]
      )
    }
    var sums = PatchSums(width: header.width)
    sums.add(try directions(10, header.width, seed: 5))
    writer.add(sums)
    _ = try writer.finish()
    return all
  }

  @Test(arguments: [
    (300, 4, 2), (65_536, 10, 2), (65_537, 15, 3), (70_000, 16, 3), (9, 255, 2),
  ])
  func labelsComeBackAsTheyWere(words: Int, topN: Int, indexBytes: Int) throws {
    let folder = try Folder()
    let header = Self.header(words: words, topN: topN)
    #expect(header.indexBytes == indexBytes)
    let all = try Self.write(header, to: folder / "a.labels")
    let file = try LabelFile(path: folder / "a.labels")
    #expect(file.header == header)
    #expect(file.count == 3 && file.wordCount == words && file.grid == header.grid)
    #expect(file.word(0) == "word 0" && file.word(words - 1) == "word \(words - 1)")
    #expect(file.sums.patches == 10)
    for (image, wanted) in all.enumerated() {
      let found = try #require(try file.labels(forKey: "pictures/\(image).jpg"))
      #expect(try file.labels(forKey: "id-\(image)") == found)
      let largest = wanted.joined().map(\.score).max() ?? 0
      for (left, right) in zip(found, wanted) {
        #expect(left.map(\.word) == right.map(\.word))
        for (a, b) in zip(left, right) {
          #expect(
            a.score > 0 && abs(a.score - b.score) <= largest / 255 * 0.501 + 1e-7
              || b.score < largest / 255
          )
        }
      }
    }
    #expect(try file.labels(forKey: "shared") == file.labels(ofRecord: 0))
    #expect(try file.labels(forKey: "absent") == nil)
    try file.verify()
  }

  @Test(arguments: [1, 2, 3, 4, 15])
  func drawsComeBackAsTheyWere(window: Int) throws {
    let folder = try Folder()
    let presampling = Presampling(window: window, seed: .max)
    let header = Self.header(presampling: presampling)
    let format = LabelRecordFormat(header)
    let sampler = WindowSampler(grid: header.grid, presampling: presampling)
    let writer = try LabelFileWriter(
      path: folder / "a.labels",
      header: header,
      words: Self.pool(header.wordCount),
      recordBytes: 0
    )
    var all: [[WindowLabel?]] = []
    for image in 0..<3 {
      let labels = Self.labels(header, seed: UInt64(image))
      let draws = sampler.draw(labels, name: "\(image)")
      for case let draw? in draws {
        #expect(labels[draw.patch].contains { $0.word == draw.word })
      }
      all.append(draws)
      try writer.append(ByteView(format.encode(draws: draws)), keys: ["\(image)"])
    }
    _ = try writer.finish()
    let file = try LabelFile(path: folder / "a.labels")
    #expect(file.header == header)
    for image in 0..<3 { #expect(try file.draws(forKey: "\(image)") == all[image]) }
    #expect(throws: LabelError.self) { try file.labels(ofRecord: 0) }
    try file.verify()
  }

  @Test func skippedPicturesHaveNoLabels() throws {
    for presampling in [nil, Presampling(window: 2, seed: 1)] {
      let folder = try Folder()
      let header = Self.header(images: 1, presampling: presampling)
      let writer = try LabelFileWriter(
        path: folder / "a.labels",
        header: header,
        words: Self.pool(300),
        recordBytes: 0
      )
      try writer.append(ByteView(LabelRecordFormat(header).skipped()), keys: ["x"])
      _ = try writer.finish()
      let file = try LabelFile(path: folder / "a.labels")
      #expect(file.isSkipped(0))
      if presampling == nil {
        #expect(try file.labels(ofRecord: 0).allSatisfy(\.isEmpty))
      } else {
        #expect(try file.draws(ofRecord: 0).allSatisfy { $0 == nil })
      }
    }
  }

  // MARK: - Damage

  @Test func everyTruncationIsRefused() throws {
    let folder = try Folder()
    _ = try Self.write(Self.header(), to: folder / "a.labels")
    let bytes = try contents(folder / "a.labels")
    for length in stride(from: 0, to: bytes.count, by: 7) {
      let path = try folder.write("cut.labels", Array(bytes.prefix(length)))
      #expect(throws: LabelError.self) { try LabelFile(path: path) }
    }
  }

  @Test func everyChangedByteIsFoundWhenOpeningOrReading() throws {
    let folder = try Folder()
    _ = try Self.write(Self.header(), to: folder / "a.labels")
    let bytes = try contents(folder / "a.labels")
    for index in stride(from: 0, to: bytes.count, by: 11) {
      var damaged = bytes
      damaged[index] ^= 0x41
      let path = try folder.write("bad.labels", damaged)
      let error = #expect(throws: LabelError.self, "byte \(index)") {
        try LabelFile(path: path).verify()
      }
      #expect(error?.category == .badData)
    }
  }

  /// The file with some bytes changed and every checksum made to hold again.
  private static func forged(
    _ bytes: [UInt8],
    _ change: (inout [UInt8], LabelTrailer) -> Void
  ) throws -> [UInt8] {
    var bytes = bytes
    let end = bytes.count - LabelFileLayout.trailerBytes
    func int(_ place: Int) -> Int {
      (0..<8).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
    var trailer = LabelTrailer(
      sums: int(end),
      vocabulary: int(end + 8),
      index: int(end + 16),
      keys: int(end + 24),
      keyText: int(end + 32),
      records: int(end + 40),
      keyCount: int(end + 48),
      sectionsCRC: 0
    )
    change(&bytes, trailer)
    trailer.sectionsCRC = LabelChecksum.of(Array(bytes[trailer.sums..<end]))
    bytes.replaceSubrange(end..., with: trailer.bytes)
    return bytes
  }

  @Test func placesOutsideTheFileAreRefusedThoughChecksumsHold() throws {
    let folder = try Folder()
    _ = try Self.write(Self.header(), to: folder / "a.labels")
    let bytes = try contents(folder / "a.labels")
    func put(_ value: UInt64, _ place: Int, _ bytes: inout [UInt8]) {
      bytes.replaceSubrange(place..<place + 8, with: LittleEndian.bytes(value))
    }
    let lies: [(String, (inout [UInt8], LabelTrailer) -> Void)] = [
      ("a record past the end", { put(UInt64(bytes.count * 2), $1.index + 8, &$0) }),
      ("a record at the end of integers", { put(.max, $1.index + 16, &$0) }),
      ("records out of order", { put(0, $1.index + 8, &$0) }),
      ("a key past the end", { put(UInt64(bytes.count), $1.keys, &$0) }),
      ("a key at the end of integers", { put(.max, $1.keys + 16, &$0) }),
      ("a key of a record that is not there", { put(UInt64(99) << 32 | 6, $1.keys + 8, &$0) }),
      ("a key too long", { put(UInt64(UInt32.max), $1.keys + 8, &$0) }),
      ("a word past the end", { put(1 << 40, $1.vocabulary + 8, &$0) }),
      ("words out of order", { put(1, $1.vocabulary + 80, &$0) }),
    ]
    for (name, lie) in lies {
      let path = try folder.write("lie.labels", try Self.forged(bytes, lie))
      #expect(throws: LabelError.self, "\(name)") { try LabelFile(path: path) }
    }
    let path = try folder.write("same.labels", try Self.forged(bytes) { _, _ in })
    try LabelFile(path: path).verify()
  }

  @Test func recordsThatContradictTheHeaderAreRefusedThoughChecksumsHold() throws {
    let header = Self.header(words: 10)
    let format = LabelRecordFormat(header)
    func sealed(_ change: (inout [UInt8]) -> Void) -> ByteView {
      var bytes = format.encode(labels: Self.labels(header, seed: 3))
      change(&bytes)
      bytes.replaceSubrange(0..<4, with: LittleEndian.bytes(CRC32C.checksum(Array(bytes[4...]))))
      return ByteView(bytes)
    }
    let table = LabelRecordFormat.headBytes..<LabelRecordFormat.headBytes + 8
    let lies: [(inout [UInt8]) -> Void] = [
      { $0[table.upperBound] = 10 },  // a word outside the list
      { $0[table.upperBound + 2] = 0 },  // a score of 0
      { $0[table.lowerBound] = 0xff },  // more labels than top-n
      { $0[table.lowerBound] ^= 0x01 },  // counts that do not add up
      { $0.append(1) }, { $0.removeLast() },
      { $0[4] = 2 },  // an unknown flag
      { $0.replaceSubrange(8..<12, with: LittleEndian.bytes(Float.nan.bitPattern)) },
      { $0.replaceSubrange(8..<12, with: LittleEndian.bytes((-Float(1)).bitPattern)) },
      { $0 = [] }, { $0 = [UInt8](repeating: 0, count: 12) },
    ]
    for (index, lie) in lies.enumerated() {
      if index >= 9 {
        #expect(throws: LabelRecordFormat.Damage.self) {
          var bytes: [UInt8] = []
          lie(&bytes)
          return try format.labels(ByteView(bytes))
        }
        continue
      }
      #expect(throws: LabelRecordFormat.Damage.self, "lie \(index)") {
        try format.labels(sealed(lie))
      }
    }
    _ = try format.labels(sealed { _ in })
  }

  @Test func headersThatLieAreRefusedByField() throws {
    let json = Self.header().json
    func refusal(_ change: (inout JSONObject) -> Void) -> String {
      var object = json.object ?? JSONObject()
      change(&object)
      do {
        _ = try LabelHeader(json: .object(object), path: "f")
        return ""
      } catch { return error.description }
    }
    #expect(refusal { _ in } == "")
    #expect(refusal { $0["grid"] = [0, 5] }.contains("grid"))
    #expect(refusal { $0["grid"] = [3, 1_000_000] }.contains("grid"))
    #expect(refusal { $0["top_n"] = 0 }.contains("top_n"))
    #expect(refusal { $0["top_n"] = 256 }.contains("top_n"))
    #expect(refusal { $0["index_bytes"] = 3 }.contains("index_bytes"))
    #expect(refusal { $0["sign"] = "both" }.contains("sign"))
    #expect(refusal { $0["kind"] = "presampled" }.contains("kind"))
    #expect(refusal { $0["recipe"] = [:] }.contains("recipe"))
    #expect(refusal { $0["shard"] = ["index": 3, "count": 2] }.contains("shard"))
    #expect(refusal { $0["vocabulary"] = nil }.contains("vocabulary"))
    #expect(refusal { $0["presampled"] = ["window": 16, "seed": "1"] }.contains("window"))
  }

  // MARK: - Geometry

  @Test func nearestCellsMapOneGridToAnother() {
    let coarse = LabelGrid(rows: 2, columns: 2)
    let fine = LabelGrid(rows: 4, columns: 4)
    #expect(
      (0..<16).map { coarse.nearest(to: $0, of: fine) } == [
        0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3,
      ]
    )
    let clip = LabelGrid(rows: 24, columns: 24)
    let siglip = LabelGrid(rows: 27, columns: 27)
    #expect((0..<576).allSatisfy { clip.nearest(to: $0, of: clip) == $0 })
    #expect(clip.nearest(to: 0, of: siglip) == 0)
    #expect(clip.nearest(to: 728, of: siglip) == 575)
    #expect(Set((0..<729).map { clip.nearest(to: $0, of: siglip) }).count == 576)
  }

  @Test func windowsCoverEveryPatchOnce() {
    for (grid, side, count) in [
      (LabelGrid(rows: 24, columns: 24), 2, 144), (LabelGrid(rows: 27, columns: 27), 2, 196),
      (LabelGrid(rows: 3, columns: 5), 4, 2), (LabelGrid(rows: 1, columns: 1), 15, 1),
    ] {
      #expect(grid.windows(side: side).patches == count)
      let patches = (0..<count).flatMap { window in
        grid.patches(ofWindow: window, side: side).map { cell -> Int in
          #expect(grid.patch(ofWindow: window, side: side, offset: cell.offset) == cell.patch)
          return cell.patch
        }
      }
      #expect(patches.sorted() == Array(0..<grid.patches))
    }
  }

  @Test func labelsOfAnotherGeometryAreRefused() throws {
    let folder = try Folder()
    _ = try Self.write(Self.header(), to: folder / "a.labels")
    let file = try LabelFile(path: folder / "a.labels")
    try file.require(.clipSquare(side: 336))
    #expect(throws: LabelError.self) { try file.require(.clipPad(side: 56)) }
    #expect(throws: LabelError.self) { try file.require(.siglip(side: 384)) }
  }
}
