// SPDX-License-Identifier: Apache-2.0
// Files written are files read: same tensors, same bytes, and nothing left of failures.

import Foundation
import SEAFormat
import SEATensor
import Testing

@Suite struct SafetensorsWriterTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
  }

  @Test func readsBackWhatItWrote() throws {
    let path = scratch.path("x.safetensors")
    var writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init("a", .float32, [2, 2]), .init("empty", .int64, [0, 7]), .init("é\"\\", .uint8, [3]),
        .init("scalar", .float64, []),
      ],
      metadata: [("note", "line\n\"é\""), ("a", "")],
    )
    try writer.write([1, 2, 3] as [Float], to: "a")
    try writer.write([4] as [Float], to: "a")
    try writer.write([7, 8, 9] as [UInt8], to: "é\"\\")
    try writer.write(ByteView([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]), to: "scalar")
    try writer.finish()

    let file = try SafetensorsFile(path: path)
    #expect(file.header.dataStart % 64 == 0)
    #expect(file.tensorNames == ["a", "empty", "é\"\\", "scalar"])
    #expect(file.metadata.map(\.key) == ["note", "a"])
    #expect(file.metadata("note") == "line\n\"é\"")
    #expect(file.info("a")?.shape == [2, 2])
    let a = try file.bytes(of: "a")
    #expect(
      (0..<4).map { a.loadLittleEndian(at: 4 * $0, as: UInt32.self) } == [
        Float(1).bitPattern, Float(2).bitPattern, Float(3).bitPattern, Float(4).bitPattern,
      ]
    )
    #expect(try file.bytes(of: "é\"\\").array() == [7, 8, 9])
    #expect(try file.bytes(of: "empty").isEmpty)
    #expect(throws: FormatError.missingTensor(path: path, name: "b")) { try file.bytes(of: "b") }
    #expect(try scratch.names == ["x.safetensors"])
  }

  @Test func writesTheSameBytesTwice() throws {
    var files: [[UInt8]] = []
    for name in ["one", "two"] {
      var writer = try SafetensorsWriter(
        path: scratch.path(name),
        tensors: [.init("a", .uint8, [5])],
        metadata: [("k", "v")]
      )
      try writer.write([1, 2, 3, 4, 5] as [UInt8], to: "a")
      try writer.finish()
      files.append(try scratch.read(scratch.path(name)))
    }
    #expect(files[0] == files[1])
    #expect(files[0].count % 64 == 5)
  }

  @Test func writesPiecesOfAnySize() throws {
    // Sizes around the chunk of 4 MiB, so that every path through the buffer is taken.
    let sizes = [1, 4 << 20, (4 << 20) - 1, 3, (8 << 20) + 5, 2, 1 << 20]
    let total = sizes.reduce(0, +)
    var seed: UInt32 = 1
    let bytes = (0..<total).map { _ -> UInt8 in
      seed = seed &* 1_664_525 &+ 1_013_904_223
      return UInt8(seed >> 24)
    }
    let path = scratch.path("x")
    var writer = try SafetensorsWriter(path: path, tensors: [.init("a", .uint8, [total])])
    var start = 0
    for size in sizes {
      try writer.write(Array(bytes[start..<start + size]), to: "a")
      start += size
    }
    try writer.finish()
    #expect(try SafetensorsFile(path: path).bytes(of: "a").array() == bytes)
  }

  @Test func replacesMetadataAtTheEnd() throws {
    let path = scratch.path("x")
    var writer = try SafetensorsWriter(
      path: path,
      tensors: [.init("a", .uint8, [1])],
      metadata: [("k", "")],
      reserve: 100
    )
    try writer.write([9] as [UInt8], to: "a")
    try writer.finish(metadata: [("k", String(repeating: "x", count: 100))])
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata("k")?.utf8.count == 100)
    #expect(try file.bytes(of: "a").array() == [9])

    func outgrow() throws {
      let other = try SafetensorsWriter(path: scratch.path("y"), tensors: [])
      try other.finish(metadata: [("k", String(repeating: "x", count: 100))])
    }
    #expect(throws: FormatError.self) { try outgrow() }
    #expect(try scratch.names == ["x"])
  }

  @Test func refusesDisorder() throws {
    let path = scratch.path("x")
    var writer = try SafetensorsWriter(
      path: path,
      tensors: [.init("a", .uint8, [2]), .init("b", .uint8, [1])]
    )
    let steps: [(bytes: [UInt8], name: String, rule: String?)] = [
      ([1], "b", "out of order"), ([1], "a", nil), ([2, 3], "a", "2 more bytes after 1 of 2"),
      ([2], "a", nil), ([], "a", nil), ([3], "b", nil), ([4], "c", "after the last tensor"),
    ]
    for step in steps {
      do throws(FormatError) {
        try writer.write(step.bytes, to: step.name)
        #expect(step.rule == nil)
      } catch {
        #expect(error.description.contains(step.rule ?? "nothing"))
      }
    }
    try writer.finish()
  }

  @Test func refusesToFinishEarly() throws {
    func attempt() throws {
      var writer = try SafetensorsWriter(
        path: scratch.path("x"),
        tensors: [.init("a", .uint8, [2])]
      )
      try writer.write([1] as [UInt8], to: "a")
      try writer.finish()
    }
    #expect(throws: FormatError.self) { try attempt() }
    #expect(try scratch.names == [])
  }

  @Test(arguments: [
    [SafetensorsTensor("a", .uint8, [1]), SafetensorsTensor("a", .uint8, [1])],
    [SafetensorsTensor("", .uint8, [1])], [SafetensorsTensor("a\n", .uint8, [1])],
    [SafetensorsTensor("a", .uint8, [1, 1, 1, 1, 1, 1, 1, 1, 1])],
    [SafetensorsTensor("a", .float64, [1 << 40, 1 << 40])],
    [SafetensorsTensor("a", .uint8, [-1])],
    [
      SafetensorsTensor("a", .uint8, [1 << 52, 1 << 10]),
      SafetensorsTensor("b", .uint8, [1 << 52, 1 << 10]),
    ],
  ])
  func refusesToDeclareWhatNoReaderAccepts(tensors: [SafetensorsTensor]) throws {
    #expect(throws: FormatError.self) {
      _ = try SafetensorsWriter(path: scratch.path("x"), tensors: tensors)
    }
    #expect(try scratch.names == [])
  }

  @Test func refusesFilesLargerThanTheDisk() throws {
    do throws(FormatError) {
      _ = try SafetensorsWriter(
        path: scratch.path("x"),
        tensors: [.init("a", .uint8, [1 << 50])]
      )
      Issue.record("a petabyte was accepted")
    } catch {
      #expect(error == .file(.system(path: scratch.path("x"), operation: "write", code: ENOSPC)))
    }
    #expect(try scratch.names == [])
  }
}
