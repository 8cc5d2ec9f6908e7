// SPDX-License-Identifier: Apache-2.0
// Model files in the hands of another reader: the safetensors package of Python.

import Foundation
import SEAFormat
import TestSupport
import Testing

@Suite struct PackageTests {
  static let script = Fixtures.path("EndToEndTests", "read_with_safetensors.py")

  static let isInstalled: Bool = {
    let outcome = try? Command(
      program: "/usr/bin/env",
      arguments: ["python3", "-c", "import safetensors, numpy"]
    ).run()
    return outcome?.status == 0
  }()

  @Test(
    .enabled(if: isInstalled, "needs python3 with the packages safetensors and numpy"),
    arguments: ["f32", "bf16", "int8", "int4"]
  )
  func theSafetensorsPackageReadsAModelFile(weights: String) throws {
    let folder = try Folder()
    try seaSucceeds(
      "convert",
      Checkpoints.gemma,
      "-o",
      folder / "m.sea",
      "--weights",
      weights,
      "--no-verify"
    )
    let outcome = try Command(
      program: "/usr/bin/env",
      arguments: ["python3", Self.script, folder / "m.sea"]
    ).run()
    #expect(outcome.status == 0, "\(outcome)")
    let seen = try JSONScanner.parse(outcome.output)
    let file = try TensorFile(path: folder / "m.sea")
    let tensors = try #require(seen["tensors"]?.object)
    #expect(Set(tensors.keys) == Set(file.tensors.map(\.name)))
    for tensor in file.tensors {
      let other = try #require(tensors[tensor.name])
      #expect(other["type"]?.string == tensor.type)
      #expect(other["shape"]?.array?.map(\.int) == tensor.shape)
      let sum = tensor.bytes.reduce(0) { $0 + Int($1) }
      #expect(other["sum"]?.isNull == true || other["sum"]?.int == sum, "\(tensor.name)")
    }
    #expect(seen["metadata"]?["format"]?.string == "sea")
    #expect(seen["metadata"]?["description"] == file.metadata["description"])
  }
}
