// SPDX-License-Identifier: Apache-2.0
// Checkpoints that must not become model files.

import Foundation
import SEAFormat
import Testing

@Suite struct CheckpointTests {
  /// Expects that converting is refused and leaves nothing behind.
  static func expectRefused(
    _ source: String,
    _ status: Int32,
    _ words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try Folder()
    for command in ["convert", "quantize"] {
      let outcome = try sea(command, source, "-o", folder / "m.sea", "--quiet")
      expectRefusal(outcome, status, sourceLocation: sourceLocation)
      for word in words {
        #expect(outcome.errors.contains(word), "\(outcome)", sourceLocation: sourceLocation)
      }
    }
    #expect(try folder.names.isEmpty, sourceLocation: sourceLocation)
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func weightsThatAreNoNumbersAreCounted(value: Double) throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    var file = try TensorFile(path: "\(source)/model.safetensors")
    let name = "model.layers.1.mlp.up_proj.weight"
    let tensor = try #require(file[name])
    var values = tensor.values
    for index in [3, 70, 71] { values[index] = value }
    file[name] = .float32(name, tensor.shape, values)
    try folder.write("llama/model.safetensors", file.bytes)
    try Self.expectRefused(source, 65, "llm.blk.1.mlp.up.weight", "3 ", "--allow-nonfinite")
    let outcome = try sea(
      "convert",
      source,
      "-o",
      folder / "m.sea",
      "--allow-nonfinite",
      "--no-verify",
      "--quiet"
    )
    #expect(outcome.status == 0, "\(outcome)")
    try seaSucceeds("inspect", folder / "m.sea", "--verify")
    let answer = try sea("run", folder / "m.sea", "hi", "--max-tokens", "2")
    #expect([0, 65].contains(answer.status), "\(answer)")
  }

  @Test func zerosAndTheSmallestNumbersAreWeights() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    var file = try TensorFile(path: "\(source)/model.safetensors")
    let name = "model.layers.1.mlp.up_proj.weight"
    let shape = try #require(file[name]).shape
    let count = shape.reduce(1, *)
    for value in [0, Double(Float.leastNonzeroMagnitude)] {
      file[name] = .float32(name, shape, [Double](repeating: value, count: count))
      try folder.write("llama/model.safetensors", file.bytes)
      try seaSucceeds("convert", source, "-o", folder / "m.sea", "--quiet")
      try seaSucceeds("run", folder / "m.sea", "hi", "--max-tokens", "2")
    }
  }

  @Test func aPickleRunsNothing() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    try FileManager.default.removeItem(atPath: "\(source)/model.safetensors")
    let canary = folder / "canary"
    try folder.write("llama/pytorch_model.bin", Archive.hostile("touch '\(canary)'"))
    try Self.expectRefused(source, 65, "pytorch_model.bin", "refused", "os.system")
    #expect(!FileManager.default.fileExists(atPath: canary))
  }

  @Test func aShardThatEndsEarlyIsToldWithBothSizes() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    var first = try TensorFile(path: "\(source)/model.safetensors")
    var second = first
    let half = first.tensors.count / 2
    first.tensors.removeLast(first.tensors.count - half)
    second.tensors.removeFirst(half)
    try FileManager.default.removeItem(atPath: "\(source)/model.safetensors")
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    try folder.write("llama/\(shards[0])", first.bytes)
    try folder.write("llama/\(shards[1])", second.bytes)
    func index(_ second: String, _ names: [TensorFile.Tensor]) throws {
      var map = JSONObject()
      for tensor in first.tensors { map[tensor.name] = .string(shards[0]) }
      for tensor in names { map[tensor.name] = .string(second) }
      let json: JSONValue = ["metadata": [:], "weight_map": .object(map)]
      try folder.write("llama/model.safetensors.index.json", json.serialized())
    }
    try index(shards[1], second.tensors)
    try seaSucceeds("convert", source, "-o", folder / "m.sea", "--quiet")

    let whole = second.bytes
    try folder.write("llama/\(shards[1])", Array(whole.dropLast(1000)))
    try Self.expectRefused(source, 65, shards[1], "\(whole.count)", "\(whole.count - 1000)")
    try FileManager.default.removeItem(atPath: "\(source)/\(shards[1])")
    try Self.expectRefused(source, 66, shards[1])
    try folder.write("outside.safetensors", whole)
    try index("../outside.safetensors", second.tensors)
    try Self.expectRefused(source, 65, "../outside.safetensors")
  }

  @Test func aConfigurationThatContradictsItsWeightsIsRefused() throws {
    let folder = try Folder()
    let source = try Checkpoints.llama(in: folder)
    let config = try JSONScanner.parse(try contents("\(source)/config.json")).object
    for (key, value, words) in [
      ("vocab_size", 777 as JSONValue, ["777", "768"]), ("num_hidden_layers", 2, ["2", "3"]),
      ("num_hidden_layers", 4, ["4", "3"]), ("hidden_size", -64, ["hidden_size"]),
      ("hidden_size", "64", ["hidden_size"]), ("hidden_size", 1_000_000_000, []),
      ("model_type", "gpt9", ["gpt9"]), ("rms_norm_eps", "nan", ["rms_norm_eps"]),
    ] {
      var changed = try #require(config)
      changed[key] = value
      try folder.write("llama/config.json", JSONValue.object(changed).serialized())
      let outcome = try sea("convert", source, "-o", folder / "m.sea", "--quiet")
      expectRefusal(outcome, 65)
      for word in words { #expect(outcome.errors.contains(word), "\(outcome)") }
    }
    #expect(try folder.names == ["llama"])
  }

  @Test func sourcesThatAreNotThereSayWhatToType() throws {
    try Self.expectRefused("/no/such/folder", 66, "/no/such/folder")
    let folder = try Folder()
    try Self.expectRefused(folder.path, 66, folder.path)
    let source = try Checkpoints.llava(in: folder)
    try FileManager.default.removeItem(atPath: "\(source)/vision_tower")
    let outcome = try sea("convert", source, "-o", folder / "m.sea", "--quiet")
    #expect(outcome.status == 66, "\(outcome)")
    #expect(outcome.errors.contains("--vision"), "\(outcome)")
  }
}
