// SPDX-License-Identifier: Apache-2.0
// Model files as sources: what they give, what they refuse.

import SEACheckpoint
import SEAFormat
import SEAModel
import SEAQuantizer
import SEARuntime
import SEATensor
import SEAText
import TestSupport
import Testing

@Suite struct ModelFileSourceTests {
  @Test(arguments: TinyModels.all)
  func quantisingAFloatFileEqualsQuantisingItsSource(model: ModelDescription) throws {
    let bench = try Workbench()
    let source = RandomWeights(model: model)
    try bench.build(source, PrecisionPolicy(all: .float32), to: "f32.sea")
    try bench.build(source, .int8(group: 64), to: "direct.sea")
    let file = try ModelFileSource(path: bench.path("f32.sea"), kernels: bench.kernels)
    #expect(file.model == model)
    #expect(file.tokenizer == nil)
    try bench.build(file, .int8(group: 64), to: "second.sea")
    #expect(try bench.bytes("direct.sea") == bench.bytes("second.sea"))
  }

  @Test func bfloat16FilesGiveTheirRoundedValues() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.phi)
    try bench.build(source, PrecisionPolicy(all: .bfloat16))
    let file = try ModelFileSource(path: bench.path("out.sea"), kernels: bench.kernels)
    let name = "llm.blk.1.mlp.down.weight"
    let out = try MatrixView<Float>(rows: 3, columns: 208)
    try file.read(name, rows: 40..<43, into: out)
    let expected = (40..<43).flatMap { source.values(name, row: $0, columns: 208) }
    #expect(out.array() == expected.map(roundedToBFloat16))
    file.release(name)
    try file.read(name, rows: 40..<43, into: out)
    #expect(out.array() == expected.map(roundedToBFloat16))
  }

  @Test func refusesInt8ByName() throws {
    let bench = try Workbench()
    try bench.build(RandomWeights(model: TinyModels.llava), .int8(group: 128))
    let expected = QuantizerError.alreadyQuantized(
      path: bench.path("out.sea"),
      tensor: "vision.blk.0.attn.q.weight",
      storage: "int8/128"
    )
    #expect(throws: expected) {
      try ModelFileSource(path: bench.path("out.sea"), kernels: bench.kernels)
    }
  }

  @Test func refusesAFileWhoseTensorsContradictItsDescription() throws {
    let bench = try Workbench()
    var other = TinyModels.llama
    other.language?.ffn = 192
    let tensors = try TensorPlan(TinyModels.llama, policy: PrecisionPolicy(all: .float32)).all
    var writer = try ModelFileWriter(
      path: bench.path("lie.sea"),
      manifest: ModelManifest(
        description: other.json,
        quantization: PrecisionPolicy(all: .float32).json
      ),
      tensors: tensors.map { SafetensorsTensor($0.name, $0.elementType, $0.storedShape) }
    )
    for spec in tensors {
      try writer.write([UInt8](repeating: 0, count: spec.byteCount), to: spec.name)
    }
    try writer.finish()
    let error = #expect(throws: RuntimeError.self) {
      try ModelFileSource(path: bench.path("lie.sea"), kernels: bench.kernels)
    }
    #expect(error?.description.contains("llm.blk.0.mlp.gate.weight") == true)
  }

  @Test func provenanceNamesTheFileAndItsOwnOrigin() throws {
    let bench = try Workbench()
    let source = RandomWeights(model: TinyModels.llama)
    try bench.build(source, PrecisionPolicy(all: .float32), provenance: ["layout": "llava"])
    let provenance = try ModelFileSource(path: bench.path("out.sea"), kernels: bench.kernels)
      .provenance()
    #expect(provenance["from"] == ["layout": "llava"])
    let input = try #require(provenance["inputs"]?.array?.first)
    #expect(input["bytes"]?.int == (try bench.bytes("out.sea")).count)
    #expect(input["file"]?.string?.hasSuffix("/out.sea") == true)
    #expect(input["sha256"]?.string?.count == 64)
    try bench.build(source, PrecisionPolicy(all: .bfloat16), provenance: ["layout": "llava"])
    let other = try ModelFileSource(path: bench.path("out.sea"), kernels: bench.kernels)
    #expect(other.provenance()["inputs"]?.array?.first?["sha256"] != input["sha256"])
  }

  @Test func carriesTheTokenizer() throws {
    let bench = try Workbench()
    let folder = Fixtures.path("SEATextTests", "llama-tiny")
    let tokenizer = try TokenizerCompiler.compile(TokenizerFiles(folder: folder))
    try bench.build(
      RandomWeights(model: TinyModels.gemma),
      PrecisionPolicy(all: .float32),
      to: "f32.sea",
      tokenizer: tokenizer
    )
    let file = try ModelFileSource(path: bench.path("f32.sea"), kernels: bench.kernels)
    let carried = try #require(file.tokenizer)
    #expect(carried.blobs.map(\.name) == tokenizer.blobs.map(\.name))
    try bench.build(file, .int8(group: 32), to: "int8.sea", tokenizer: carried)
    let written = try ModelFile(path: bench.path("int8.sea"))
    for blob in tokenizer.blobs {
      #expect(try written.tensor(blob.name).bytes.array() == blob.bytes.array())
    }
  }
}
