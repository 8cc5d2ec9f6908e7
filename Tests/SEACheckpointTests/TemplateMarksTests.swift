// SPDX-License-Identifier: Apache-2.0
// Chat templates that checkpoints come with: recognised, or said not to be.

import Foundation
import SEACheckpoint
import Testing

@Suite struct TemplateMarksTests {
  /// Opens a Llama checkpoint whose tokenizer has the given chat template.
  private func open(_ text: String, named: Bool = false) throws -> SourceModel {
    let checkpoint = try TestCheckpoint("llm/llama-tiny")
    let data = try JSONSerialization.data(withJSONObject: [text])
    let json = String(decoding: data, as: UTF8.self).dropFirst().dropLast()
    let entry =
      "[{\"name\":\"rag\",\"template\":\"x\"},{\"name\":\"default\",\"template\":\(json)}]"
    try checkpoint.set(
      "chat_template",
      to: named ? entry : String(json),
      in: "tokenizer_config.json"
    )
    return try SourceModel(path: checkpoint.path)
  }

  @Test(arguments: [
    ("{{ '<start_of_turn>' + role + '\\n' + content + '<end_of_turn>\\n' }}", "gemma_it"),
    ("<start_of_turn>user\n{{u}}<end_of_turn>\n<eos>", "mgm_gemma"),
    ("{{ '<|start_header_id|>' + r + '<|end_header_id|>\n\n' + c + '<|eot_id|>' }}", "llama3"),
    ("<|start_header_id|>system<|end_header_id|>You are Cambrian, a<|eot_id|>", "llama_v3"),
    ("{{'<|user|>\n' + c + '<|end|>\n<|assistant|>\n'}}", "phi3_nosys"),
    ("<|system|>\nYou are a helpful AI assistant.<|end|>\n<|assistant|>\n", "phi3"),
    ("{{ 'USER: ' + c + ' ASSISTANT:' }}{{ eos }}", "vicuna_v1"),
    ("A chat between a curious human and … USER: {{c}} ASSISTANT:", "llava_v1"),
    ("USER: {{c}} ASSISTANT: {{a}}<eos>", "tl_gemma"),
    ("{{ '### Human: ' + c + '### Assistant:' }}", "llava_v0"),
    ("USER:\u{301} {{c}} ASSISTANT:\u{301}", "vicuna_v1"),
  ])
  func recognises(_ text: String, _ name: String) throws {
    for named in [false, true] {
      let source = try open(text, named: named)
      #expect(source.model.template?.name == name)
      #expect(source.inventory.notes.contains("template: \(name) (recognised in chat_template)"))
    }
  }

  @Test(arguments: [
    "[INST] {{ messages[0].content }} [/INST]", "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for i in range(10 ** 9) %}{% endfor %}", "",
  ])
  func neverRunsAndSaysSo(_ text: String) throws {
    let source = try open(text)
    #expect(source.model.template?.name == "vicuna_v1")
    let note =
      "template: vicuna_v1 (the family's default; the chat_template is none of those known)"
    #expect(source.inventory.notes.contains(note))
  }
}
