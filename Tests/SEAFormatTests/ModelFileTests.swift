// SPDX-License-Identifier: Apache-2.0
// Model files: round trips, versions, padding, checksums, and every damage found.

import Foundation
import SEAFormat
import SEATensor
import Testing

@Suite struct ModelFileTests {
  let scratch: Scratch
  let path: String

  init() throws {
    scratch = try Scratch()
    path = scratch.path("tiny.sea")
  }

  static let pieces = Array("hello▁world".utf8)

  /// Writes a small model file with padded and unpadded tensors.
  private func write(to path: String, provenance: JSONValue? = nil) throws {
    var writer = try ModelFileWriter(
      path: path,
      manifest: ModelManifest(
        description: ["name": "tiny", "layers": 2],
        quantization: ["weights": "int8"],
        provenance: ["source": "\"test\""]
      ),
      tensors: [
        .init("llm.blk.0.q.weight", .uint8, [128]),
        .init("tokenizer.pieces", .uint8, [Self.pieces.count]),
        .init("llm.norm", .float32, [3]), .init("empty", .float32, [0]),
        .init("vision.patch", .bfloat16, [3, 5]),
      ],
      reserve: 64,
    )
    try writer.write([UInt8](repeating: 5, count: 128), to: "llm.blk.0.q.weight")
    try writer.write(Self.pieces, to: "tokenizer.pieces")
    try writer.write([1, 2, 3] as [Float], to: "llm.norm")
    try writer.write([UInt8](repeating: 6, count: 30), to: "vision.patch")
    try writer.finish(provenance: provenance)
  }

  /// A copy of the file with another header text, data kept.
  private func rewrite(_ edit: (inout JSONObject, inout JSONObject) -> Void) throws -> String {
    try write(to: path)
    let bytes = try scratch.read(path)
    let length = Int(bytes[0]) | Int(bytes[1]) << 8
    var header = try #require(try JSONScanner.parse(Array(bytes[8..<8 + length])).object)
    var metadata = try #require(header["__metadata__"]?.object)
    edit(&metadata, &header)
    header["__metadata__"] = .object(metadata)
    var text = Array(JSONValue.object(header).serialized().utf8)
    while text.count % 64 != 56 { text.append(0x20) }
    return try scratch.file(
      "edited.sea",
      prefix(UInt64(text.count)) + text + Array(bytes[(8 + length)...])
    )
  }

  private func verdict(_ path: String, verify: Bool = false) -> String {
    do throws(FormatError) {
      let file = try ModelFile(path: path)
      if verify { try file.verify() }
      return "accepted"
    } catch {
      #expect(error.description.hasPrefix(path + ": "))
      return error.description
    }
  }

  // MARK: - Round trip

  @Test func readsBackWhatItWrote() throws {
    try write(to: path)
    let file = try ModelFile(path: path)
    #expect(file.madeBy == ModelFile.toolVersion)
    #expect(file.descriptionJSON == ["name": "tiny", "layers": 2])
    #expect(file.manifest.quantization["weights"]?.string == "int8")
    #expect(file.manifest.provenance["source"]?.string == "\"test\"")
    let (info, bytes) = try file.tensor("tokenizer.pieces")
    #expect(info.shape == [Self.pieces.count])
    #expect(bytes.array() == Self.pieces)
    #expect(try file.tensor("vision.patch").info.shape == [3, 5])
    #expect(try file.tensor("vision.patch").bytes.count == 30)
    #expect(try file.tensor("empty").info.shape == [0])
    #expect(file.tensors.allSatisfy { $0.range.lowerBound % 64 == 0 })
    #expect(throws: FormatError.missingTensor(path: path, name: "x")) { try file.tensor("x") }
    var steps: [Int] = []
    try file.verify { done, total in steps.append(total - done) }
    #expect(steps.last == 0)
  }

  @Test func isASafetensorsFileWithoutHoles() throws {
    try write(to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.header.dataStart % 64 == 0)
    #expect(file.mapping.count % 64 == 0)
    #expect(file.info("tokenizer.pieces")?.shape == [64])
    #expect(file.info("vision.patch")?.shape == [32])
    #expect(file.metadata("format") == "sea")
    let padding = try file.bytes(of: "tokenizer.pieces").array()[Self.pieces.count...]
    #expect(padding.allSatisfy { $0 == 0 })
  }

  @Test func writesTheSameBytesTwice() throws {
    try write(to: path)
    try write(to: scratch.path("again.sea"))
    #expect(try scratch.read(path) == scratch.read(scratch.path("again.sea")))
  }

  @Test func takesALongerProvenanceAtTheEnd() throws {
    try write(to: path, provenance: ["sha256": .string(String(repeating: "a", count: 64))])
    let file = try ModelFile(path: path)
    #expect(file.manifest.provenance["sha256"]?.string?.utf8.count == 64)
    try file.verify()
  }

  @Test func leavesNoTraceOfAnUnfinishedFile() throws {
    func attempt() throws {
      var writer = try ModelFileWriter(
        path: path,
        manifest: ModelManifest(description: [:]),
        tensors: [.init("a", .uint8, [2])]
      )
      try writer.write([1] as [UInt8], to: "a")
      try writer.finish()
    }
    #expect(throws: FormatError.self) { try attempt() }
    #expect(try scratch.names == [])
  }

  // MARK: - Kind and version

  @Test func refusesOtherSafetensorsFilesByName() throws {
    let plain = try scratch.safetensors("{\(entry("a", "U8", "1", "0", "1"))}", data: 1)
    #expect(verdict(plain).contains("not a sea model file: a safetensors file without metadata"))
    let edited = try rewrite { metadata, _ in metadata["format"] = "pt" }
    #expect(verdict(edited).contains("a safetensors file of format 'pt'"))
  }

  @Test func namesTheMakerOfANewerVersion() throws {
    let edited = try rewrite { metadata, _ in
      metadata["format_version"] = "2"
      metadata["made_by"] = "sea 9.1.0"
    }
    #expect(verdict(edited).contains("made by sea 9.1.0 in format version 2, this is sea 0.1.0"))
  }

  @Test(arguments: ["0", "-1", "1.0", "", "01", "one", "99999999999999999999"])
  func refusesVersionsThatAreNone(version: String) throws {
    let edited = try rewrite { metadata, _ in metadata["format_version"] = .string(version) }
    #expect(verdict(edited).contains("metadata 'format_version': '\(version)' is no version"))
  }

  @Test(arguments: ["format_version", "description", "quantization", "provenance", "padded_shapes"])
  func refusesMissingMetadata(key: String) throws {
    let edited = try rewrite { metadata, _ in metadata[key] = nil }
    #expect(verdict(edited).contains("metadata '\(key)': is missing"))
  }

  @Test(arguments: ["description", "quantization", "provenance", "padded_shapes"])
  func refusesMetadataThatAreNoObjects(key: String) throws {
    #expect(verdict(try rewrite { metadata, _ in metadata[key] = "[]" }).contains("found an array"))
    #expect(
      verdict(try rewrite { metadata, _ in metadata[key] = "{\"a\":1,\"a\":2}" })
        .contains("metadata '\(key)': byte 7: key 'a' appears twice")
    )
    #expect(verdict(try rewrite { metadata, _ in metadata[key] = "{" }).contains("byte 1"))
  }

  // MARK: - Tensors

  @Test(arguments: [
    "{\"nothing\":[1]}", "{\"tokenizer.pieces\":[65]}", "{\"tokenizer.pieces\":[0]}",
    "{\"tokenizer.pieces\":[-1]}", "{\"tokenizer.pieces\":[1.5]}", "{\"tokenizer.pieces\":13}",
    "{\"tokenizer.pieces\":[4294967296,4294967296]}",
    "{\"tokenizer.pieces\":[9223372036854775807]}",
    "{\"tokenizer.pieces\":[1,1,1,1,1,1,1,1,13]}", "{\"llm.blk.0.q.weight\":[64]}",
  ])
  func refusesLengthsThatTheBytesContradict(shapes: String) throws {
    let edited = try rewrite { metadata, _ in metadata["padded_shapes"] = .string(shapes) }
    let name = shapes.split(separator: "\"")[1]
    #expect(verdict(edited).contains("tensor '\(name)'"))
  }

  @Test func refusesTensorsThatAreNotAligned() throws {
    let header =
      "{\"__metadata__\":{\"format\":\"sea\",\"format_version\":\"1\",\"description\":\"{}\","
      + "\"quantization\":\"{}\",\"provenance\":\"{}\",\"padded_shapes\":\"{}\"},"
      + "\(entry("a", "U8", "1", "0", "1")),\(entry("b", "U8", "1", "1", "2"))}"
    var text = Array(header.utf8)
    while text.count % 64 != 56 { text.append(0x20) }
    let misaligned = try scratch.safetensors(text, data: 2)
    #expect(verdict(misaligned).contains("tensor 'b': starts at byte"))
    let shifted = try scratch.safetensors(text + [0x20], data: 2)
    #expect(verdict(shifted).contains("tensor 'a': starts at byte"))
  }

  // MARK: - Checksums

  @Test func namesADamagedTensor() throws {
    try write(to: path)
    let file = try ModelFile(path: path)
    for name in ["llm.blk.0.q.weight", "tokenizer.pieces", "llm.norm", "vision.patch"] {
      let info = try file.tensor(name).info
      var bytes = try scratch.read(path)
      bytes[info.range.upperBound - 1] ^= 0x10
      let damaged = try scratch.file("damaged.sea", bytes)
      #expect(verdict(damaged) == "accepted")
      #expect(verdict(damaged, verify: true).contains("checksum of tensor '\(name)' is"))
    }
  }

  @Test func findsEveryFlippedBit() throws {
    try write(to: path)
    let sound = try scratch.read(path)
    // Every bit of the file, padding and header included; most copies do not even open.
    for position in sound.indices {
      var bytes = sound
      bytes[position] ^= 1 << UInt8(position % 8)
      let damaged = try scratch.file("damaged.sea", bytes)
      guard verdict(damaged, verify: true) != "accepted" else {
        Issue.record("bit \(position % 8) of byte \(position) went unnoticed")
        continue
      }
    }
  }

  @Test func refusesMissingChecksumsUnderVerify() throws {
    for key in ["checksums", "header_checksum"] {
      let edited = try rewrite { metadata, _ in metadata[key] = nil }
      #expect(verdict(edited) == "accepted")
      #expect(verdict(edited, verify: true).contains("metadata '\(key)'"))
    }
    let edited = try rewrite { metadata, _ in metadata["description"] = "{}" }
    #expect(verdict(edited, verify: true).contains("checksum of the header"))
  }

  @Test func survivesEveryTruncation() throws {
    try write(to: path)
    let sound = try scratch.read(path)
    for length in stride(from: 0, to: sound.count, by: 7) {
      #expect(verdict(try scratch.file("short.sea", Array(sound[..<length]))) != "accepted")
    }
  }
}
