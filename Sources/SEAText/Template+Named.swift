// SPDX-License-Identifier: Apache-2.0
// The conversation formats of the code bases whose checkpoints are read.

extension Template {
  /// Every name, in the order of the reference.
  package static let names = all.map(\.name)

  /// The template of a name.
  ///
  /// - Throws: `TextError.unknownTemplate`.
  /// - Source: reference.md F.2.
  package static func named(_ name: String) throws(TextError) -> Template {
    // The name under which LLaVA's training script knows vicuna_v1.
    let name = name == "v1" ? "vicuna_v1" : name
    guard let template = all.first(where: { $0.name == name }) else {
      throw .unknownTemplate(name: name)
    }
    return template
  }

  /// Tokens by which formats mark turns, in this project's templates and in its relatives'.
  ///
  /// No text that a user writes may become one of them.
  package static let marks = [
    "<start_of_turn>", "<end_of_turn>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
    "<|startoftext|>", "<|endoftext|>", "<|begin_of_text|>", "<|end_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>",
  ]

  private static let all: [Template] = [
    plain,
    vicuna(name: "vicuna_v1", system: toUser, stop: "</s>"),
    vicuna(name: "llava_v1", system: toHuman, stop: "</s>"),
    llavaV0,
    phi3(name: "phi3", system: "You are a helpful AI assistant."),
    phi3(name: "phi3_nosys", system: nil),
    vicuna(name: "tl_gemma", system: toUser, stop: "<eos>"),
    gemma(name: "mgm_gemma", end: "<end_of_turn>\n<eos>", stops: ["<eos>", "<end_of_turn>"]),
    camGemma,
    gemmaIt,
    llama3(name: "llama3", system: toUser),
    llama3(name: "llama_v3", system: cambrian, gap: ""),
    llama3(name: "llama_3", system: helpful, answerRole: "system"),
  ]

  // MARK: - System texts

  private static let manners = "The assistant gives helpful, detailed, and polite answers to the "
  private static let toUser =
    "A chat between a curious user and an artificial intelligence assistant. "
    + manners + "user's questions."
  private static let toHuman =
    "A chat between a curious human and an artificial intelligence assistant. "
    + manners + "human's questions."
  private static let helpful =
    "You are a helpful language and vision assistant. You are able to understand the visual content "
    + "that the user provides, and assist the user with a variety of tasks using natural language."
  /// The line ends and blanks are the source's own.
  /// - Source: Cambrian `conversation.py`, `conv_llama_3`.
  private static let cambrian =
    "You are Cambrian, a highly intelligent multimodal AI trained by NYU Vision X. \n    "
    + "As a multimodal AI, you have the ability to process and analyze images. Whenever an image is "
    + "present in the conversation, very carefully examine it and consider its content when "
    + "formulating your response.\n    You should give concise responses to very simple questions, "
    + "but provide thorough responses to more complex and open-ended questions. "

  // MARK: - Formats

  /// Image and caption, for alignment.
  private static var plain: Template {
    var template = Template(name: "plain")
    template.takesSystem = false
    template.answerSuffix = "\n"
    template.discardsUserText = true
    return template
  }

  private static func vicuna(name: String, system: String, stop: String) -> Template {
    var template = Template(name: name)
    template.system = system
    template.systemSuffix = " "
    template.userPrefix = "USER: "
    template.userSuffix = " "
    template.answerPrefix = "ASSISTANT:"
    template.answerGap = " "
    template.answerSuffix = stop
    template.stopTokens = [stop]
    return template
  }

  private static var llavaV0: Template {
    var template = Template(name: "llava_v0")
    template.system = toHuman
    template.systemSuffix = "###"
    template.userPrefix = "Human: "
    template.userSuffix = "###"
    template.answerPrefix = "Assistant:"
    template.answerGap = " "
    template.answerSuffix = "###"
    template.stopTexts = ["###"]
    return template
  }

  private static func phi3(name: String, system: String?) -> Template {
    var template = Template(name: name)
    template.system = system
    template.systemPrefix = "<|system|>\n"
    template.systemSuffix = "<|end|>\n"
    template.userPrefix = "<|user|>\n"
    template.userSuffix = "<|end|>\n"
    template.answerPrefix = "<|assistant|>\n"
    template.answerSuffix = "<|end|>"
    template.turnSeparator = "\n"
    template.stopTokens = ["<|end|>", "<|endoftext|>", "<|assistant|>"]
    return template
  }

  private static func gemma(name: String, end: String, stops: [String]) -> Template {
    var template = Template(name: name)
    template.takesSystem = false
    template.userPrefix = "<start_of_turn>user\n"
    template.userSuffix = "<end_of_turn>\n"
    template.answerPrefix = "<start_of_turn>model\n"
    template.answerSuffix = end
    template.stopTokens = stops
    return template
  }

  /// Starts with the separator of an empty system text, as its weights were trained.
  private static var camGemma: Template {
    var template = gemma(name: "cam_gemma", end: "<end_of_turn>\n", stops: ["<end_of_turn>"])
    template.takesSystem = true
    template.system = ""
    template.systemSuffix = "<end_of_turn>\n"
    return template
  }

  private static var gemmaIt: Template {
    var template = gemma(
      name: "gemma_it",
      end: "<end_of_turn>\n",
      stops: ["<end_of_turn>", "<eos>"],
    )
    template.opening = "<bos>"
    return template
  }

  /// The skeleton of Llama 3.
  ///
  /// One code base says "system" in the answer's header, and its weights are trained with that.
  private static func llama3(
    name: String,
    system: String,
    gap: String = "\n\n",
    answerRole: String = "assistant"
  ) -> Template {
    func header(_ role: String) -> String { "<|start_header_id|>\(role)<|end_header_id|>\(gap)" }
    var template = Template(name: name)
    template.opening = "<|begin_of_text|>"
    template.system = system
    template.systemPrefix = header("system")
    template.systemSuffix = "<|eot_id|>"
    template.userPrefix = header("user")
    template.userSuffix = "<|eot_id|>"
    template.answerPrefix = header(answerRole)
    template.answerSuffix = "<|eot_id|>"
    template.stopTokens = ["<|eot_id|>", "<|end_of_text|>"]
    return template
  }
}
