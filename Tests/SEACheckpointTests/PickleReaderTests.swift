// SPDX-License-Identifier: Apache-2.0
// Hostile pickles: every way a program in a weights file can try to do more than describe tensors.

import Foundation
import SEACheckpoint
import SEATensor
import Testing

@Suite struct PickleReaderTests {
  @Test func refusesImportsOutsideTheListAndRunsNothing() throws {
    let folder = try TemporaryFolder()
    let canary = folder.path + "/canary"
    var pickle = PickleWriter()
    pickle.global("os", "system")
    pickle.text("touch \(canary)")
    pickle.tuple1()
    pickle.reduce()
    pickle.stop()
    let path = try folder.write("pytorch_model.bin", ZipWriter.torch(pickle.bytes))
    let error = #expect(throws: CheckpointError.self) { try TorchArchive(path: path) }
    #expect(error == .refusedImport(path: path, name: "os.system"))
    #expect(error?.description.contains("refused import os.system") == true)
    #expect(error?.category == .badData)
    #expect(!FileManager.default.fileExists(atPath: canary))
  }

  @Test(arguments: ["builtins.eval", "torch.load", "numpy.core.multiarray._reconstruct", "torch.X"])
  func refusesOtherNames(_ name: String) throws {
    let parts = name.split(separator: ".")
    var pickle = PickleWriter()
    pickle.global(parts.dropLast().joined(separator: "."), String(parts[parts.count - 1]))
    pickle.stop()
    #expect(throws: CheckpointError.refusedImport(path: "x", name: name)) {
      try PickleReader.read(pickle.bytes, path: "x")
    }
  }

  @Test(
    arguments: [
      ("STACK_GLOBAL", [0x93]), ("INST", [0x69]), ("OBJ", [0x6F]), ("EXT1", [0x82, 1]),
      ("EXT2", [0x83, 1, 0]), ("EXT4", [0x84, 1, 0, 0, 0]), ("PERSID", [0x50]), ("NEWOBJ", [0x81]),
      ("LONG4", [0x8B, 0, 0, 0, 0x7F]), ("MEMOIZE", [0x94]), ("BINUNICODE8", [0x8D]),
    ] as [(String, [UInt8])]
  )
  func refusesInstruction(_ name: String, _ code: [UInt8]) {
    // The module and attribute come from the memo, where a filter on GLOBAL alone would miss them.
    var pickle = PickleWriter()
    pickle.text("os")
    pickle.put(0)
    pickle.text("system")
    pickle.put(1)
    pickle.get(0)
    pickle.get(1)
    pickle.op(code[0], Array(code.dropFirst()))
    pickle.stop()
    let error = #expect(throws: CheckpointError.self) {
      try PickleReader.read(pickle.bytes, path: "x")
    }
    #expect(error?.description.contains("refused pickle instruction \(name)") == true)
  }

  @Test func refusesStateOnAnythingButDictionaries() {
    var pickle = PickleWriter()
    pickle.emptyList()
    pickle.emptyDict()
    pickle.build()
    pickle.stop()
    expectMalformed(pickle.bytes, "state set on something that is no dictionary")
  }

  @Test func readsSelfReferenceWithoutFollowingIt() throws {
    var pickle = PickleWriter()
    pickle.emptyDict()
    pickle.put(0)
    pickle.text("self")
    pickle.get(0)
    pickle.setItem()
    pickle.stop()
    let document = try PickleReader.read(pickle.bytes, path: "x")
    #expect(document.objects.count == 1)
  }

  @Test func refusesDeepNesting() {
    var pickle = PickleWriter()
    pickle.emptyTuple()
    pickle.bytes += [UInt8](repeating: 0x85, count: 10_000_000)
    pickle.stop()
    expectMalformed(pickle.bytes, "nest deeper")
  }

  @Test(
    arguments: [
      ("a number of 255 bytes", [0x8A, 255] + [UInt8](repeating: 1, count: 255)),
      ("claims 4294967295 bytes", [0x58, 255, 255, 255, 255]),
      ("never remembered", [0x68, 9]), ("not there", [0x52]), ("not open", [0x74]),
      ("protocol 4", [0x80, 4]), ("cut short", [0x4A, 1]), ("without an end", [0x63, 0x6F]),
      ("UTF-8", [0x58, 1, 0, 0, 0, 0xFF]), ("no container", [0x4E, 0x4E, 0x61]),
      ("values behind", [0x4E, 0x4E, 0x2E]), ("follow the end", [0x4E, 0x2E, 0x2E]),
    ] as [(String, [UInt8])]
  )
  func refusesBrokenProgram(_ problem: String, _ code: [UInt8]) {
    expectMalformed(PickleWriter().bytes + code, problem)
  }

  @Test(arguments: [0x28, 0x29, 0x4E, 0x5D, 0x7D] as [UInt8])
  func boundsMemory(_ instruction: UInt8) {
    let flood = [UInt8](repeating: instruction, count: PickleReader.maxBytes - 2)
    expectMalformed(PickleWriter().bytes + flood, "more than 200000 values")
  }

  @Test func boundsContainersFilledFromTheMemo() {
    var pickle = PickleWriter()
    pickle.emptyTuple()
    for _ in 0..<100_000 { pickle.op(0x87) }
    expectMalformed(pickle.bytes, "not there")
    var filler = PickleWriter()
    filler.emptyList()
    for _ in 0..<100 {
      filler.mark()
      filler.bytes += [UInt8](repeating: 0x4E, count: 150_000)
      filler.op(0x65)
    }
    expectMalformed(filler.bytes, "containers hold more than 200000 values")
  }

  private func expectMalformed(_ bytes: [UInt8], _ problem: String) {
    let error = #expect(throws: CheckpointError.self) { try PickleReader.read(bytes, path: "x") }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "no error")")
  }
}
