// SPDX-License-Identifier: Apache-2.0
// Torch files: what is read, and tensors that claim bytes they do not have.

import Foundation
import SEACheckpoint
import SEATensor
import Testing

@Suite struct TorchArchiveTests {
  private let matrix = TestTensor(name: "w", storageCount: 6, shape: [2, 3], strides: [3, 1])
  private let values: [Float] = [1, 2, 3, 4, 5, 6]

  @Test func readsMatricesTransposesAndTies() throws {
    let transposed = TestTensor(name: "t", storageCount: 6, shape: [3, 2], strides: [1, 3])
    let part = TestTensor(name: "p", storageCount: 6, offset: 2, shape: [2], strides: [3])
    let scalar = TestTensor(name: "s", storageCount: 6, offset: 5, shape: [], strides: [])
    let archive = try open([matrix, transposed, part, scalar])
    #expect(archive.tensors.map(\.name) == ["w", "t", "p", "s"])
    let tensors = archive.tensors.map { SourceTensor($0, file: archive.file) }
    #expect(tensors[0].floats() == [1, 2, 3, 4, 5, 6])
    #expect(tensors[1].floats() == [1, 4, 2, 5, 3, 6])
    #expect(tensors[1].rows == 3 && tensors[1].columns == 2 && !tensors[1].isContiguous)
    #expect(tensors[2].floats() == [3, 6])
    #expect(tensors[3].floats() == [6])
    var rows: [Float] = []
    tensors[1].readRows(1..<2, into: &rows)
    #expect(rows == [2, 5])
  }

  @Test func readsFourAxesInAnyOrder() throws {
    // [2, 3, 2, 2] stored with axes 0 and 3 exchanged.
    let count = 24
    let tensor = TestTensor(
      name: "c",
      storageCount: count,
      shape: [2, 3, 2, 2],
      strides: [1, 4, 2, 12]
    )
    let archive = try open([tensor], (0..<count).map { Float($0) })
    var expected: [Float] = []
    for a in 0..<2 {
      for b in 0..<3 {
        for c in 0..<2 { for d in 0..<2 { expected.append(Float(a + 4 * b + 2 * c + 12 * d)) } }
      }
    }
    #expect(SourceTensor(archive.tensors[0], file: archive.file).floats() == expected)
  }

  @Test func unwrapsTrainingCheckpoints() throws {
    var pickle = PickleWriter()
    pickle.emptyDict()
    pickle.mark()
    pickle.text("epoch")
    pickle.int(3)
    pickle.text("state_dict")
    pickle.dictionary([matrix])
    pickle.setItems()
    pickle.stop()
    let folder = try TemporaryFolder()
    let path = try folder.write(
      "m.bin",
      ZipWriter.torch(pickle.bytes, storages: [("0", stored(values))])
    )
    let archive = try TorchArchive(path: path, verifyStorages: true)
    #expect(archive.tensors.map(\.name) == ["w"])
    #expect(archive.ignored == ["epoch"])
  }

  @Test func readsParametersAndUntypedStorages() throws {
    var pickle = PickleWriter()
    pickle.emptyDict()
    pickle.text("w")
    pickle.global("torch._utils", "_rebuild_parameter")
    pickle.mark()
    pickle.global("torch._utils", "_rebuild_tensor_v3")
    pickle.mark()
    pickle.mark()
    pickle.text("storage")
    pickle.global("torch.storage", "UntypedStorage")
    pickle.text("0")
    pickle.text("cuda:0")
    pickle.int(4)
    pickle.tuple()
    pickle.persid()
    pickle.int(0)
    pickle.global("torch", "Size")
    pickle.ints([2])
    pickle.tuple1()
    pickle.reduce()
    pickle.ints([1])
    pickle.op(0x88)
    pickle.emptyDict()
    pickle.global("torch", "bfloat16")
    pickle.tuple()
    pickle.reduce()
    pickle.op(0x88)
    pickle.emptyDict()
    pickle.tuple()
    pickle.reduce()
    pickle.setItem()
    pickle.stop()
    let folder = try TemporaryFolder()
    let bytes = ZipWriter.torch(pickle.bytes, storages: [("0", [0x80, 0x3F, 0x20, 0xC0])])
    let archive = try TorchArchive(path: try folder.write("m.bin", bytes))
    #expect(archive.tensors[0].type == .bfloat16)
    #expect(SourceTensor(archive.tensors[0], file: archive.file).floats() == [1, -2.5])
  }

  @Test func acceptsEmptyAndBroadcastTensors() throws {
    let empty = TestTensor(name: "e", storageCount: 6, shape: [0, 3], strides: [3, 1])
    let broadcast = TestTensor(name: "b", storageCount: 6, offset: 1, shape: [4], strides: [0])
    let archive = try open([empty, broadcast])
    #expect(SourceTensor(archive.tensors[0], file: archive.file).floats().isEmpty)
    #expect(SourceTensor(archive.tensors[1], file: archive.file).floats() == [2, 2, 2, 2])
  }

  @Test(arguments: [
    ("bytes in the archive", TestTensor(name: "w", storageCount: 7, shape: [1], strides: [1])),
    ("bytes in the archive", TestTensor(name: "w", storageCount: .max, shape: [1], strides: [1])),
    (
      "outside its storage",
      TestTensor(name: "w", storageCount: 6, offset: -1, shape: [2], strides: [1])
    ),
    (
      "outside its storage",
      TestTensor(name: "w", storageCount: 6, offset: 5, shape: [2], strides: [1])
    ),
    (
      "outside its storage",
      TestTensor(name: "w", storageCount: 6, offset: .max, shape: [2], strides: [1])
    ),
    (
      "outside its storage",
      TestTensor(name: "w", storageCount: 6, shape: [2, 3], strides: [4, 1])
    ),
    ("overlaps itself", TestTensor(name: "w", storageCount: 6, shape: [2, 3], strides: [1, 1])),
    ("overlaps itself", TestTensor(name: "w", storageCount: 6, shape: [2, 3], strides: [2, 1])),
    ("negative or too large", TestTensor(name: "w", storageCount: 6, shape: [-2], strides: [1])),
    ("negative or too large", TestTensor(name: "w", storageCount: 6, shape: [2], strides: [-1])),
    (
      "negative or too large",
      TestTensor(name: "w", storageCount: 6, shape: [1 << 40, 1 << 40], strides: [1, 1])
    ),
    (
      "negative or too large",
      TestTensor(name: "w", storageCount: 6, shape: [2, 2], strides: [.max, .max])
    ),
    ("are repeated", TestTensor(name: "w", storageCount: 6, shape: [1 << 40], strides: [0])),
    (
      "not in the archive",
      TestTensor(name: "w", key: "../0", storageCount: 6, shape: [1], strides: [1])
    ),
    (
      "bytes in the archive",
      TestTensor(name: "w", storageType: "DoubleStorage", storageCount: 6, shape: [1], strides: [1])
    ),
  ])
  func refusesTensor(_ problem: String, _ tensor: TestTensor) {
    let error = #expect(throws: CheckpointError.self) { try open([tensor]) }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "no error")")
    #expect(error?.category == .badData)
  }

  @Test(arguments: ["a b", "", "a\u{0}", "n\u{E9}", String(repeating: "x", count: 600)])
  func refusesTensorName(_ name: String) {
    var tensor = matrix
    tensor.name = name
    #expect(throws: CheckpointError.self) { try open([tensor]) }
  }

  @Test func refusesDuplicateTensors() {
    #expect(throws: CheckpointError.self) { try open([matrix, matrix]) }
  }

  @Test(
    arguments: [
      (
        "before torch 1.6",
        [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
      ),
      ("tar archive", [UInt8](repeating: 0, count: 257) + Array("ustar\0".utf8)),
      ("git-lfs pointer", Array("version https://git-lfs.github.com/spec/v1\n".utf8)),
      ("web page", Array("<!DOCTYPE html>".utf8)), ("gzip", [0x1F, 0x8B, 8]), ("empty", []),
      ("neither", Array("hello".utf8)), ("bare pickle", [0x80, 2, 0x4E, 0x2E]),
    ] as [(String, [UInt8])]
  )
  func refusesOtherFormatsWithAdvice(_ advice: String, _ bytes: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("pytorch_model.bin", bytes)
    let error = #expect(throws: CheckpointError.self) { try TorchArchive(path: path) }
    #expect(error?.description.contains(advice) == true, "\(error?.description ?? "no error")")
  }

  @Test func refusesScriptsBigEndianAndSeveralRoots() throws {
    let pickle = PickleWriter.stateDictionary([matrix])
    let storage = ZipItem(name: "a/data/0", payload: stored(values))
    let root = ZipItem(name: "a/data.pkl", payload: pickle)
    let script = ZipItem(name: "a/constants.pkl", payload: [1])
    let order = ZipItem(name: "a/byteorder", payload: Array("big".utf8))
    let second = ZipItem(name: "b/data.pkl", payload: pickle)
    let folder = try TemporaryFolder()
    for (items, problem) in [
      ([root, storage, script], "TorchScript"), ([root, storage, order], "big-endian"),
      ([root, storage, second], "2 members named data.pkl"), ([storage], "0 members"),
    ] {
      let path = try folder.write("m.bin", ZipWriter.archive(items))
      let error = #expect(throws: CheckpointError.self) { try TorchArchive(path: path) }
      #expect(error?.description.contains(problem) == true, "\(error?.description ?? "no error")")
    }
  }

  @Test func noticesDamagedStorageOnRequest() throws {
    var bytes = ZipWriter.torch(
      PickleWriter.stateDictionary([matrix]),
      storages: [("0", stored(values))]
    )
    let folder = try TemporaryFolder()
    let archive = try TorchArchive(path: try folder.write("m.bin", bytes))
    bytes[archive.tensors[0].storage.lowerBound] ^= 1
    let path = try folder.write("n.bin", bytes)
    #expect(try TorchArchive(path: path).tensors.count == 1)
    #expect(throws: CheckpointError.self) { try TorchArchive(path: path, verifyStorages: true) }
  }

  @Test(arguments: [
    ("/nowhere/m.bin", CheckpointError.Category.missingInput), ("/dev/zero", .missingInput),
    ("/tmp", .missingInput),
  ])
  func refusesPath(_ path: String, _ category: CheckpointError.Category) {
    let error = #expect(throws: CheckpointError.self) { try TorchArchive(path: path) }
    #expect(error?.category == category)
  }

  private func open(_ tensors: [TestTensor], _ values: [Float]? = nil) throws -> TorchArchive {
    let folder = try TemporaryFolder()
    let bytes = ZipWriter.torch(
      PickleWriter.stateDictionary(tensors),
      storages: [("0", stored(values ?? self.values))]
    )
    // The mapping outlives the file.
    return try TorchArchive(path: try folder.write("m.bin", bytes))
  }
}

/// Files that torch itself has written; the numbers were computed from them with numpy.
@Suite struct TorchFileTests {
  @Test(
    arguments: [
      (
        "llama-f16", 21, "model.embed_tokens.weight", [768, 64], 153.15469056367874,
        17707.963824466562
      ),
      ("llama-f16", 21, "lm_head.weight", [768, 64], 72.02921569347382, 6933.9982190681985),
      (
        "mm_projector", 4, "model.mm_projector.0.weight", [64, 64], -6.138948678970337,
        53.13529271803786
      ),
      (
        "mm_projector", 4, "model.mm_projector.2.bias", [64], 0.2685890197753906,
        0.15591861376015004
      ),
    ] as [(String, Int, String, [Int], Double, Double)]
  )
  func readsValues(
    _ file: String,
    _ count: Int,
    _ name: String,
    _ shape: [Int],
    _ sum: Double,
    _ squares: Double
  ) throws {
    let path = Bundle.module.bundlePath + "/Fixtures/torch/\(file).bin"
    let set = try WeightSet(file: path)
    #expect(set.tensors.count == count)
    let tensor = try #require(set[name])
    #expect(tensor.shape == shape && tensor.type == .float16)
    let values = tensor.floats().map(Double.init)
    // Sums of a few ten thousand doubles: exact to about 1e-12 of their size.
    #expect(abs(values.reduce(0, +) - sum) < 1e-9)
    #expect(abs(values.reduce(0) { $0 + $1 * $1 } - squares) < 1e-7)
  }
}
