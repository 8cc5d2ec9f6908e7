// SPDX-License-Identifier: Apache-2.0
// Encoders under the names that OpenAI, open_clip and timm give their tensors.

import Foundation
import SEACheckpoint
import SEAModel
import SEATensor
import Testing

@Suite struct EncoderDialectTests {
  private func reference(_ name: String) throws -> [String: [Float]] {
    try canonical(TestCheckpoint(name))
  }

  private func openAI(edit: (inout [ListedTensor]) -> Void = { _ in }) throws -> TestCheckpoint {
    try TestCheckpoint("vision/clip-tiny") { _, tensors in
      Rekeyed.openAI(&tensors, blocks: 4)
      tensors.removeAll { $0.name.hasPrefix("text_") }
      tensors.append(ListedTensor(name: "ln_final.weight", type: "F32", shape: [8]))
      tensors.append(ListedTensor(name: "input_resolution", type: "I64", shape: []))
      edit(&tensors)
    }
  }

  private func siglip(_ prefix: String) throws -> TestCheckpoint {
    try TestCheckpoint("vision/siglip-tiny") { _, tensors in
      Rekeyed.timm(&tensors, blocks: 4, prefix: prefix)
    }
  }

  @Test func readsOpenAINames() throws {
    let checkpoint = try openAI()
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.layout == .encoder && source.model.encoder?.activation == .quickGelu)
    #expect(source.inventory.counts.split == 8)
    expectSame(try canonical(source), try reference("vision/clip-tiny"))
    try source.refuseNonFinite()
  }

  @Test func readsOpenAINamesUnderAnotherFileName() throws {
    let checkpoint = try openAI()
    let weights = try checkpoint.read("model.safetensors")
    try FileManager.default.removeItem(atPath: checkpoint.path + "/model.safetensors")
    // Content decides, whatever the name ends in.
    try checkpoint.folder.write("ViT-tiny.pt", weights)
    expectSame(
      try canonical(SourceModel(path: checkpoint.path)),
      try reference("vision/clip-tiny")
    )
  }

  @Test func readsOpenCLIPConfiguration() throws {
    let checkpoint = try openAI()
    try FileManager.default.removeItem(atPath: checkpoint.path + "/config.json")
    try FileManager.default.removeItem(atPath: checkpoint.path + "/preprocessor_config.json")
    try checkpoint.folder.write(
      "open_clip_config.json",
      """
      {"model_cfg":{"embed_dim":40,"quick_gelu":true,"vision_cfg":{"image_size":56,"layers":4,
      "width":64,"head_width":16,"mlp_ratio":2.5,"patch_size":14},"text_cfg":{}},
      "preprocess_cfg":{"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5],"interpolation":"bicubic",
      "resize_mode":"shortest"}}
      """
    )
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.model.encoder?.heads == 4 && source.model.encoder?.activation == .quickGelu)
    #expect(source.model.recipe?.mean == [0.5, 0.5, 0.5])
    #expect(source.model.recipe?.resize == .shortestEdge(56))
    expectSame(try canonical(source), try reference("vision/clip-tiny"))
  }

  @Test func takesSizesFromTheTensors() throws {
    // One head of 64, the only width that such files do not state.
    let checkpoint = try openAI()
    try FileManager.default.removeItem(atPath: checkpoint.path + "/config.json")
    let source = try SourceModel(path: checkpoint.path)
    let encoder = try #require(source.model.encoder)
    #expect(encoder.hidden == 64 && encoder.heads == 1 && encoder.imageSide == 56)
    #expect(encoder.blocks == 4 && encoder.ffn == 160 && encoder.activation == .quickGelu)
    #expect(source.inventory.notes.contains { $0.contains("sizes as the tensors have them") })
  }

  @Test(arguments: ["", "visual.trunk."])
  func readsTimmNames(_ prefix: String) throws {
    let checkpoint = try siglip(prefix)
    let config = try checkpoint.read("config.json")
    let text = String(decoding: config, as: UTF8.self)
    try checkpoint.folder.write(
      "config.json",
      text.replacingOccurrences(of: "\"hidden_act\": \"gelu_pytorch_tanh\",", with: "")
    )
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.model.encoder?.activation == .geluErf)
    #expect(source.inventory.counts.split == 8)
    expectSame(try canonical(source), try reference("vision/siglip-tiny"))
    // What the file states stands.
    try checkpoint.folder.write("config.json", config)
    #expect(try SourceModel(path: checkpoint.path).model.encoder?.activation == .geluTanh)
  }

  @Test func describesPublishedTimmEncoders() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "config.json",
      "{\"architecture\":\"vit_so400m_patch14_siglip_384\",\"num_classes\":0}"
    )
    let tensor = ListedTensor(name: "patch_embed.proj.weight", type: "F32", shape: [2, 3, 2, 2])
    try folder.write("model.safetensors", TestCheckpoint.bytes([tensor]))
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: folder.path) }
    // The sizes are known: what is wrong is that 27 blocks are missing.
    #expect(error?.description.contains("27") == true)
    try folder.write("config.json", "{\"architecture\":\"vit_huge_patch14_clip_224\"}")
    let other = #expect(throws: CheckpointError.self) { try SourceModel(path: folder.path) }
    #expect(other?.description.contains("vit_huge_patch14_clip_224") == true)
  }

  @Test func refusesStacksThatCannotBeCut() throws {
    let checkpoint = try openAI { tensors in
      for index in tensors.indices where tensors[index].name.hasSuffix("0.attn.in_proj_bias") {
        tensors[index] = ListedTensor(name: tensors[index].name, type: "F32", shape: [191])
      }
    }
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: checkpoint.path) }
    #expect(error?.description.contains("cannot be cut into 3 equal parts") == true)
    #expect(error?.category == .badData)
  }

  @Test(arguments: [UInt16(0), 8])
  func refusesPrograms(_ method: UInt16) throws {
    let folder = try TemporaryFolder()
    var items = ["data.pkl", "code/x.py", "constants.pkl"].map {
      ZipItem(name: "clip/\($0)", payload: [0x80, 2, 0x2E])
    }
    // Long source texts are compressed.
    items[1].method = method
    try folder.write("ViT-L-14-336px.pt", ZipWriter.archive(items))
    let error = #expect(throws: CheckpointError.self) { try SourceModel(path: folder.path) }
    #expect(error?.description.contains("TorchScript program") == true)
    #expect(error?.description.contains("state_dict()") == true)
    #expect(error?.category == .badData)
  }
}
