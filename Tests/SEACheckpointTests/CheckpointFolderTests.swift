// SPDX-License-Identifier: Apache-2.0
// Weights in a folder: shards, indices, truncation, and reading without filling memory.

import Foundation
import SEACheckpoint
import SEATensor
import Testing

@Suite struct CheckpointFolderTests {
  private let index = "model.safetensors.index.json"
  private let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]

  private func expectRefusal(
    _ path: String,
    _ fragments: [String],
    _ category: CheckpointError.Category = .badData
  ) {
    let error = #expect(throws: CheckpointError.self) {
      try CheckpointFolder(path: path).weights()
    }
    let text = error?.description ?? "no error"
    for fragment in fragments { #expect(text.contains(fragment), "\(text)") }
    #expect(error?.category == category, "\(text)")
  }

  @Test func readsShards() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny")
    let set = try CheckpointFolder(path: checkpoint.path).weights()
    #expect(set.tensors.count == 30 && set.warnings.isEmpty)
    #expect(set.paths == shards.map { checkpoint.path + "/" + $0 })
    #expect(set["lm_head.weight"]?.path == set.paths[1])
  }

  @Test func readsShardsWithoutIndex() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny")
    try FileManager.default.removeItem(atPath: checkpoint.path + "/" + index)
    #expect(try CheckpointFolder(path: checkpoint.path).weights().tensors.count == 30)
    try FileManager.default.removeItem(atPath: checkpoint.path + "/" + shards[0])
    expectRefusal(checkpoint.path, ["shard 1 of 2 is missing"], .missingInput)
  }

  @Test func refusesMissingShard() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny")
    try FileManager.default.removeItem(atPath: checkpoint.path + "/" + shards[1])
    expectRefusal(checkpoint.path, [shards[1], index], .missingInput)
  }

  @Test(arguments: ["../../x", "/etc/passwd", "a/b.safetensors", "..", ".hidden", "", "a\\\\b"])
  func refusesShardOutsideTheFolder(_ name: String) throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny")
    try checkpoint.set("weight_map", to: "{\"model.norm.weight\":\"\(name)\"}", in: index)
    expectRefusal(checkpoint.path, [index, "not a plain name"])
  }

  @Test(arguments: ["{}", "[]", "{\"a\":1}", "null", "{\"a b\":\"x.safetensors\"}"])
  func refusesBrokenIndex(_ map: String) throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny")
    try checkpoint.set("weight_map", to: map, in: index)
    expectRefusal(checkpoint.path, [index, "weight_map"])
  }

  @Test func refusesTensorInTwoShards() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny") { _, tensors in
      guard tensors.contains(where: { $0.name == "lm_head.weight" }) else { return }
      tensors.append(
        ListedTensor(name: "model.embed_tokens.weight", type: "BF16", shape: [640, 64])
      )
    }
    expectRefusal(checkpoint.path, ["model.embed_tokens.weight", "also in"])
  }

  @Test func refusesTensorThatIsNotWhereTheIndexSays() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny") { _, tensors in
      tensors.removeAll { $0.name == "lm_head.weight" }
    }
    expectRefusal(checkpoint.path, ["lm_head.weight", "missing here"])
  }

  @Test func warnsAboutUnusedShardsAndTensors() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny") { _, tensors in
      guard tensors.contains(where: { $0.name == "lm_head.weight" }) else { return }
      tensors.append(ListedTensor(name: "extra", type: "F32", shape: [2]))
    }
    try checkpoint.folder.write("model-00003-of-00003.safetensors", "junk")
    let warnings = try CheckpointFolder(path: checkpoint.path).weights().warnings
    #expect(warnings.contains { $0.contains("tensor extra is not in the index") })
    #expect(warnings.contains { $0.contains("model-00003-of-00003.safetensors: not used") })
    // What is loaded but unknown still stops a conversion.
    #expect(throws: CheckpointError.self) { try SourceModel(path: checkpoint.path) }
  }

  @Test func tellsHowMuchOfATruncatedShardIsThere() throws {
    let checkpoint = try TestCheckpoint("llm/llama3-tiny")
    let bytes = try checkpoint.read(shards[1])
    let found = bytes.count - 1000
    try checkpoint.folder.write(shards[1], Array(bytes.prefix(found)))
    expectRefusal(checkpoint.path, [shards[1], "expected \(bytes.count) bytes, have \(found)"])
  }

  @Test func tellsThatATorchFileIsCutShort() throws {
    let checkpoint = try TestCheckpoint("llm/llama-f16bin-tiny")
    let bytes = try checkpoint.read("pytorch_model.bin")
    try checkpoint.folder.write("pytorch_model.bin", Array(bytes.prefix(bytes.count / 2)))
    expectRefusal(checkpoint.path, ["pytorch_model.bin", "cut short"])
  }

  @Test func tellsHowMuchOfATruncatedTorchShardIsThere() throws {
    let checkpoint = try TestCheckpoint("llm/llama-f16bin-tiny")
    let bytes = try checkpoint.read("pytorch_model.bin")
    try FileManager.default.removeItem(atPath: checkpoint.path + "/pytorch_model.bin")
    let name = "pytorch_model-00001-of-00001.bin"
    let tensors = bytes.count - 10_000
    try checkpoint.folder.write(name, Array(bytes.prefix(bytes.count - 50_000)))
    try checkpoint.folder.write(
      "pytorch_model.bin.index.json",
      "{\"metadata\":{\"total_size\":\(tensors)},\"weight_map\":{\"lm_head.weight\":\"\(name)\"}}"
    )
    expectRefusal(
      checkpoint.path,
      [name, "expected \(tensors) bytes, have \(bytes.count - 50_000)"]
    )
  }

  @Test func prefersSafetensorsAndSniffsMisnamedFiles() throws {
    let checkpoint = try TestCheckpoint("llm/llama-f16bin-tiny")
    let torch = try checkpoint.read("pytorch_model.bin")
    let list = [ListedTensor(name: "w", type: "F32", shape: [3])]
    try checkpoint.folder.write("pytorch_model.bin", TestCheckpoint.bytes(list))
    #expect(try CheckpointFolder(path: checkpoint.path).weights()["w"]?.floats().count == 3)
    try checkpoint.folder.write("pytorch_model.bin", torch)
    try checkpoint.folder.write("model.safetensors", TestCheckpoint.bytes(list))
    #expect(try CheckpointFolder(path: checkpoint.path).weights().tensors.count == 1)
    try checkpoint.folder.write("other.safetensors", TestCheckpoint.bytes(list))
    #expect(try CheckpointFolder(path: checkpoint.path).weights().paths.count == 1)
  }

  @Test func refusesAmbiguousAndAbsentWeights() throws {
    let folder = try TemporaryFolder()
    expectRefusal(folder.path, ["no weights here"], .missingInput)
    try folder.write("training_args.bin", "x")
    expectRefusal(folder.path, ["no weights here"], .missingInput)
    let list = [ListedTensor(name: "w", type: "F32", shape: [3])]
    try folder.write("a.safetensors", TestCheckpoint.bytes(list))
    try folder.write("b.safetensors", TestCheckpoint.bytes(list))
    expectRefusal(folder.path, ["which of these", "a.safetensors, b.safetensors"])
  }

  @Test func decodesEveryHalf() throws {
    let halves = try read("F16", 65_536, stored(Array(UInt16.min...UInt16.max)))
    for (bits, value) in zip(UInt16.min...UInt16.max, halves) {
      let half = Float(Float16(bitPattern: bits))
      #expect(value.bitPattern == half.bitPattern || (value.isNaN && half.isNaN))
    }
  }

  @Test func decodesOtherTypes() throws {
    #expect(try read("BF16", 1, littleEndian(UInt16(0xC020))) == [-2.5])
    #expect(try read("F64", 1, littleEndian(0.1.bitPattern)) == [0.1])
    #expect(try read("I64", 1, littleEndian(Int64(-7))) == [-7])
    #expect(try read("U8", 2, [200, 1]) == [200, 1])
  }

  /// The values of a tensor with the given bytes, read from a file.
  private func read(_ type: String, _ count: Int, _ bytes: [UInt8]) throws -> [Float] {
    let entry = "{\"dtype\":\"\(type)\",\"shape\":[\(count)],\"data_offsets\":[0,\(bytes.count)]}"
    let header = Array("{\"t\":\(entry)}".utf8)
    let folder = try TemporaryFolder()
    let path = try folder.write("t.bin", littleEndian(UInt64(header.count)) + header + bytes)
    return try #require(try WeightSet(file: path)["t"]).floats()
  }

  @Test func streamsLargeTablesWithoutKeepingThem() throws {
    // A table of 1 GiB as f32, sparse on disk.
    let rows = 131_072
    let columns = 4096
    let header =
      "{\"t\":{\"dtype\":\"BF16\",\"shape\":[\(rows),\(columns)],"
      + "\"data_offsets\":[0,\(rows * columns * 2)]}}"
    let folder = try TemporaryFolder()
    let bytes = littleEndian(UInt64(header.utf8.count)) + Array(header.utf8)
    let path = try folder.write("model.safetensors", bytes)
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.truncate(atOffset: UInt64(bytes.count + rows * columns * 2))
    let tensor = try #require(try WeightSet(file: path)["t"])
    var seen = 0
    var largest = 0
    tensor.forEachChunk { range, values in
      seen += range.count
      largest = max(largest, values.count)
      if range.lowerBound == 0 { #expect(values.allSatisfy { $0 == 0 }) }
    }
    #expect(seen == rows)
    #expect(largest * 4 <= SourceTensor.chunkBytes)
    #expect(try residentBytes(of: path) < 4 << 20)
  }

  /// Bytes of a mapped file that are resident in this process.
  private func residentBytes(of path: String) throws -> Int {
    var inside = false
    var resident = 0
    for line in try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8).split(
      separator: "\n"
    ) {
      if line.contains("-") && line.contains(" r") { inside = line.hasSuffix(path) }
      if inside, line.hasPrefix("Rss:") {
        resident += Int(line.split(separator: " ")[1]) ?? 0
      }
    }
    return resident * 1024
  }
}
