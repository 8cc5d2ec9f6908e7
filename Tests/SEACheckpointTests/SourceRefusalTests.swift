// SPDX-License-Identifier: Apache-2.0
// Checkpoints that are wrong, contradict themselves or are of another kind.

import Foundation
import SEACheckpoint
import SEAFormat
import SEATensor
import Testing

@Suite struct SourceRefusalTests {
  private let gemma = "mllm/sea-gemma-tiny/llava"

  /// Opens a checkpoint that must be refused and checks the message and its class.
  private func expectRefusal(
    _ path: String,
    _ fragments: [String],
    _ category: CheckpointError.Category = .badData,
    options: SourceOptions = SourceOptions()
  ) {
    let error = #expect(throws: CheckpointError.self) {
      try SourceModel(path: path, options: options)
    }
    let text = error?.description ?? "no error"
    for fragment in fragments { #expect(text.contains(fragment), "\(text)") }
    #expect(error?.category == category, "\(text)")
    #expect(!text.hasSuffix(".") && !text.contains("\n"), "\(text)")
  }

  // MARK: - Configuration files

  @Test func refusesMissingAndBrokenConfigurations() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    for (text, fragment) in [
      ("", "the file is empty"), ("[1]", "an array, expected an object"),
      ("{\"a\":1,\"a\":2}", "not valid JSON"), ("{\"rms_norm_eps\": NaN}", "not valid JSON"),
      (String(repeating: "[", count: 100_000), "not valid JSON"), ("{", "not valid JSON"),
    ] {
      try checkpoint.folder.write("config.json", text)
      expectRefusal(checkpoint.path, ["config.json", fragment])
    }
    try FileManager.default.removeItem(atPath: checkpoint.path + "/config.json")
    expectRefusal(checkpoint.path, ["no config.json"], .missingInput)
    expectRefusal("/nowhere/at/all", ["no such folder"], .missingInput)
    expectRefusal(checkpoint.path + "/model.safetensors", ["not a folder"], .missingInput)
  }

  @Test func refusesHugeConfigurationWithoutReadingIt() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    let file = try #require(FileHandle(forWritingAtPath: checkpoint.path + "/config.json"))
    try file.truncate(atOffset: 200 << 20)
    expectRefusal(checkpoint.path, ["209715200 bytes"])
  }

  @Test(arguments: [
    ("hidden_size", "\"64\""), ("hidden_size", "-64"), ("hidden_size", "1e9"), ("hidden_size", "0"),
    ("hidden_size", "1000000000"), ("hidden_size", "64.5"), ("hidden_size", "[64]"),
    ("num_hidden_layers", "1000000"), ("num_attention_heads", "7"), ("num_attention_heads", "0"),
    ("num_key_value_heads", "3"), ("head_dim", "15"), ("head_dim", "100000"),
    ("rms_norm_eps", "0"), ("rms_norm_eps", "-1"), ("rms_norm_eps", "\"NaN\""),
    ("rms_norm_eps", "1e999"), ("rope_theta", "0"), ("vocab_size", "-1"), ("vocab_size", "1e300"),
    ("intermediate_size", "9007199254740993"), ("tie_word_embeddings", "\"yes\""),
    ("model_type", "\"qwen2\""), ("model_type", "null"), ("model_type", "7"),
    ("hidden_act", "\"relu\""), ("rope_scaling", "{\"type\":\"linear\",\"factor\":2}"),
    ("rope_parameters", "{\"rope_type\":\"llama3\",\"rope_theta\":5e5}"), ("rope_scaling", "3"),
    ("attention_bias", "true"), ("eos_token_id", "-1"), ("eos_token_id", "\"</s>\""),
    ("max_position_embeddings", "0"), ("partial_rotary_factor", "0.5"),
  ])
  func refusesLanguageKey(_ key: String, _ value: String) throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    try checkpoint.set(key, to: value)
    // Messages about dims name the key that has to divide.
    let named = key == "hidden_size" && value == "0" ? "hidden_size" : key
    expectRefusal(checkpoint.path, ["config.json", named])
  }

  @Test(arguments: [
    ("patch_size", "0"), ("patch_size", "57"), ("image_size", "0"), ("image_size", "46340"),
    ("patch_size", "1e1"), ("num_hidden_layers", "1000000"), ("num_attention_heads", "5"),
    ("layer_norm_eps", "\"NaN\""), ("layer_norm_eps", "-1e-5"), ("hidden_act", "\"tanh\""),
    ("num_channels", "1"), ("intermediate_size", "0"), ("hidden_size", "true"),
    ("model_type", "\"dinov2\""), ("model_type", "\"clip_text_model\""),
  ])
  func refusesVisionKey(_ key: String, _ value: String) throws {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    try checkpoint.set(key, to: value)
    expectRefusal(checkpoint.path, ["config.json", key])
  }

  @Test(arguments: [
    ("size", "\"336\""), ("size", "{\"longest_edge\":3}"), ("size", "0"), ("crop_size", "100000"),
    ("image_mean", "[0.5]"), ("image_std", "[0,1,1]"), ("resample", "0"), ("rescale_factor", "0"),
    ("do_normalize", "false"), ("do_center_crop", "1"),
  ])
  func refusesPreprocessorKey(_ key: String, _ value: String) throws {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    try checkpoint.set(key, to: value, in: "preprocessor_config.json")
    expectRefusal(checkpoint.path, ["preprocessor_config.json"])
  }

  @Test func refusesRecipeOfAnotherSize() throws {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    try checkpoint.set("crop_size", to: "56", in: "preprocessor_config.json")
    expectRefusal(checkpoint.path, ["recipe"])
  }

  @Test func listsUnknownKeysAndIgnoresThem() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    try checkpoint.set("_attn_implementation_internal", to: "\"os.system\"")
    try checkpoint.set("auto_map", to: "{\"AutoModel\":\"evil.Model\"}")
    let notes = try SourceModel(path: checkpoint.path).inventory.notes
    let note = try #require(notes.first { $0.contains("keys without effect") })
    #expect(note.contains("_attn_implementation_internal") && note.contains("auto_map"))
  }

  @Test func refusesLongChatTemplates() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    let template = String(repeating: "{% for i in range(1000000000) %}", count: 160_000)
    try checkpoint.set("chat_template", to: "\"\(template)\"", in: "tokenizer_config.json")
    expectRefusal(checkpoint.path, ["chat_template", "bytes"])
    try checkpoint.set(
      "chat_template",
      to: "\"{{ cycler.__init__ }}\"",
      in: "tokenizer_config.json"
    )
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.model.template?.name == "vicuna_v1")
    #expect(source.inventory.notes.contains { $0.contains("none of those known") })
  }

  // MARK: - Configuration against tensors

  @Test(arguments: [
    ("vocab_size", "512", "[768, 64]"), ("vocab_size", "1000", "[768, 64]"),
    ("num_hidden_layers", "2", "the weights have 3"),
    ("num_hidden_layers", "5", "the weights have 3"),
    ("num_attention_heads", "8", ""), ("num_key_value_heads", "2", "[64, 64]"),
    ("hidden_size", "128", "[768, 64]"), ("intermediate_size", "200", "[172, 64]"),
    ("head_dim", "32", "[64, 64]"),
  ])
  func tellsBothSidesOfContradiction(_ key: String, _ value: String, _ found: String) throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    try checkpoint.set(key, to: value)
    if key == "num_attention_heads" {
      // 8 heads of 8 fit the same matrices: only a stated head dim can contradict them.
      try checkpoint.set("num_key_value_heads", to: "8")
      try checkpoint.set("head_dim", to: "16")
      expectRefusal(checkpoint.path, ["num_attention_heads", "128", "[64, 64]"])
      return
    }
    let said = key == "head_dim" ? "128" : key == "num_key_value_heads" ? "32" : value
    expectRefusal(checkpoint.path, ["config.json", said, found])
  }

  @Test func takesPaddedVocabularyFromTheTable() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    try checkpoint.set("vocab_size", to: "710")
    #expect(try SourceModel(path: checkpoint.path).model.language?.vocab == 768)
    try checkpoint.set("vocab_size", to: nil)
    #expect(try SourceModel(path: checkpoint.path).model.language?.vocab == 768)
  }

  @Test func tellsBothSidesInTheTower() throws {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    for (key, value, found) in [
      ("num_hidden_layers", "4", "the weights have 3"), ("intermediate_size", "256", "[192, 96]"),
      ("patch_size", "12", "[96, 3, 14, 14]"),
    ] {
      let old = key == "num_hidden_layers" ? "3" : key == "patch_size" ? "14" : "192"
      try checkpoint.set(key, to: value)
      expectRefusal(checkpoint.path, [key, found])
      try checkpoint.set(key, to: old)
    }
    try checkpoint.set("image_size", to: "98")
    expectRefusal(checkpoint.path, ["image_size", "50 rows", "[37, 96]"])
    let llava = try TestCheckpoint(gemma)
    try llava.set("mm_hidden_size", to: "96")
    expectRefusal(llava.path, ["mm_hidden_size is 96", "[72, 72]"])
  }

  // MARK: - Tensors

  @Test func listsMissingAndUnknownTensors() throws {
    let lacking = try TestCheckpoint("mllm/sea-phi3-tiny/llava") { file, tensors in
      if file.hasSuffix("mm_projector.bin") { tensors.removeAll { $0.name.hasSuffix("2.bias") } }
    }
    expectRefusal(lacking.path + "/stage1", ["1 missing tensor: adapter.1.bias"])
    let surplus = try TestCheckpoint("mllm/sea-phi3-tiny/llava") { file, tensors in
      guard file.hasSuffix("mm_projector.bin") else { return }
      for name in ["model.other.weight", "model.image_newline"] {
        tensors.append(ListedTensor(name: name, type: "F16", shape: [64]))
      }
    }
    expectRefusal(
      surplus.path + "/stage1",
      ["2 unknown tensors: model.other.weight, model.image_newline"]
    )
    let longer = try TestCheckpoint(gemma) { _, tensors in
      tensors.append(
        ListedTensor(name: "model.mm_projector.4.weight", type: "F32", shape: [72, 72])
      )
    }
    expectRefusal(longer.path, ["unknown tensor", "model.mm_projector.4.weight"])
    let block = try TestCheckpoint("llm/llama-tiny") { _, tensors in
      tensors.removeAll { $0.name == "model.layers.1.mlp.up_proj.weight" }
    }
    expectRefusal(block.path, ["missing tensor: llm.blk.1.mlp.up.weight"])
  }

  @Test func refusesTwoTensorsWithOneMeaning() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny") { _, tensors in
      tensors.append(ListedTensor(name: "embed_tokens.weight", type: "F32", shape: [768, 64]))
    }
    expectRefusal(checkpoint.path, ["means the same as model.embed_tokens.weight"])
  }

  @Test func ignoresBuffersAndTiedHeads() throws {
    let checkpoint = try TestCheckpoint("llm/gemma-tiny") { _, tensors in
      tensors.append(ListedTensor(name: "lm_head.weight", type: "F32", shape: [1024, 72]))
      tensors.append(
        ListedTensor(name: "model.layers.0.self_attn.rotary_emb.inv_freq", type: "F32", shape: [16])
      )
    }
    let source = try SourceModel(path: checkpoint.path)
    #expect(source.inventory.counts.ignored == 2)
    #expect(
      source.inventory.lines.contains { $0.contains("tied") && $0.contains("lm_head.weight") }
    )
  }

  @Test func refusesWeightsThatAreNoFloats() throws {
    let checkpoint = try TestCheckpoint("llm/llama-tiny") { _, tensors in
      for index in tensors.indices where tensors[index].name == "model.norm.weight" {
        tensors[index].type = "I64"
      }
    }
    expectRefusal(checkpoint.path, ["model.norm.weight", "I64"])
  }

  @Test(arguments: [[0x7FC0] as [UInt16], [0x7F80, 0xFF80], [0x7FC1, 0x0001]])
  func countsValuesThatAreNotFinite(_ patterns: [UInt16]) throws {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    var bytes = try checkpoint.read("model.safetensors")
    // The last tensor of the file; 0x0001 is a subnormal and finite.
    for (index, pattern) in patterns.enumerated() {
      let place = bytes.count - 2 * (index + 1)
      bytes.replaceSubrange(place..<place + 2, with: littleEndian(pattern))
    }
    try checkpoint.folder.write("model.safetensors", bytes)
    let source = try SourceModel(path: checkpoint.path)
    let error = #expect(throws: CheckpointError.self) { try source.refuseNonFinite() }
    let count = patterns.count { $0 & 0x7F80 == 0x7F80 }
    #expect(error?.description.contains("\(count) values are NaN or infinite") == true)
    #expect(error?.category == .badData)
  }

  // MARK: - Other layouts

  @Test(arguments: [
    ("connector_type", "\"resampler\"", "resampler"),
    ("mm_vision_tower_aux_list", "[\"x\",\"y\"]", "2 encoders"),
    ("model_type", "\"cambrian_llama\"", "mm_vision_tower_aux_list"),
    ("mm_vision_tower_aux", "\"x\"", "Mini-Gemini"), ("s2", "true", "s2_scales"),
    ("s2_scales", "\"60,61\"", "multiples of the encoder's side 60"),
    ("s2_scales", "\"60,x\"", "sides from 1 to 8192"), ("s2_scales", "[]", "sides from 1"),
    ("image_aspect_ratio", "\"anyres\"", "anyres"),
    ("mm_projector_type", "\"sva\"", "sva"),
    ("mm_projector_type", "\"mlp99x_gelu\"", "mlp99x_gelu"),
    ("mm_vision_select_layer", "-9", "mm_vision_select_layer"),
    ("mm_vision_select_feature", "\"cls\"", "mm_vision_select_feature"),
  ])
  func refusesByName(_ key: String, _ value: String, _ fragment: String) throws {
    let checkpoint = try TestCheckpoint(gemma)
    try checkpoint.set(key, to: value)
    expectRefusal(checkpoint.path, ["config.json", fragment])
  }

  @Test(arguments: [
    ("model.vision_sampler_0.x.weight", "SVA"), ("model.mm_projector_aux_0.0.weight", "SVA"),
    ("model.vision_tower_aux_list.1.vision_tower.norm.weight", "second encoder"),
    ("model.vlm_uni_query_projector.0.weight", "Mini-Gemini"),
    ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "adapter_config.json"),
  ])
  func refusesTensorsByName(_ name: String, _ fragment: String) throws {
    let checkpoint = try TestCheckpoint(gemma) { _, tensors in
      tensors.append(ListedTensor(name: name, type: "F32", shape: [4, 4]))
    }
    expectRefusal(checkpoint.path, ["not supported", fragment, name])
  }

  @Test func asksForModelsThatAreNotHere() throws {
    let checkpoint = try TestCheckpoint("mllm/sea-phi3-tiny/llava")
    try checkpoint.set("mm_vision_tower", to: "\"google/siglip-x\"", in: "stage1/config.json")
    let path = checkpoint.path + "/stage1"
    expectRefusal(
      path,
      ["\"google/siglip-x\"", "sea convert \(path) --vision DIR -o OUT.sea"],
      .missingInput
    )
    try checkpoint.set("_name_or_path", to: "\"microsoft/phi\"", in: "stage1/config.json")
    expectRefusal(path, ["sea convert \(path) --vision DIR --llm DIR -o OUT.sea"], .missingInput)
    var options = SourceOptions()
    options.visionFolder = checkpoint.path + "/vision_tower"
    options.languageFolder = checkpoint.path + "/base"
    #expect(try SourceModel(path: path, options: options).layout == .llavaStage1)
    options.visionFolder = "/nowhere"
    expectRefusal(path, ["/nowhere", "no such folder"], .missingInput, options: options)
  }

  @Test func refusesOptionsWithoutUse() throws {
    let checkpoint = try TestCheckpoint("vision/clip-tiny-84")
    var options = SourceOptions()
    options.languageFolder = checkpoint.path
    expectRefusal(checkpoint.path, ["--llm"], .usage, options: options)
    options = SourceOptions()
    options.recipe = "nothing"
    expectRefusal(checkpoint.path, ["--recipe", "clip_square"], .usage, options: options)
    let llama = try TestCheckpoint("llm/llama-tiny")
    options = SourceOptions()
    options.template = "nothing"
    expectRefusal(llama.path, ["nothing", "vicuna_v1"], .usage, options: options)
  }
}
