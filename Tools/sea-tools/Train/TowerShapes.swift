// SPDX-License-Identifier: Apache-2.0
// The towers that flags describe, or those of a checkpoint that flags must agree with.

import SEACheckpoint
import SEACommandLine
import SEAFormat
import SEAImage
import SEAModel
import SEATensor
import SEAText
import SEATrainer

/// A description and where the tokenizer's files are.
struct TowerShapes {
  let model: ModelDescription
  let tokenizer: Tokenizer
  let tokenizerFolder: String
  /// The checkpoint that values come from; nil: chance.
  let source: SourceModel?

  /// Opens tokenizer and checkpoint and settles the shape.
  ///
  /// - Throws: `CommandError` (64) for shapes that cannot be, `CheckpointError`.
  init(_ arguments: TowerArguments) throws {
    var options = SourceOptions()
    options.takesTextTower = true
    source = try arguments.`init`.map { try SourceModel(path: $0, options: options) }
    guard let folder = arguments.tokenizer ?? source?.tokenizerFolder else {
      throw CommandError(
        .missingInput,
        "\((arguments.`init` ?? "").printable(limit: 4096)): no tokenizer here: --tokenizer names one"
      )
    }
    tokenizerFolder = folder
    tokenizer = try Self.tokenizer(folder, arguments.loss)
    if let source {
      model = try Self.known(source, arguments, tokenizer)
    } else {
      model = try Self.described(arguments, tokenizer, folder)
    }
    do throws(ModelError) {
      try model.validate()
    } catch {
      throw CommandError(.usage, "the towers cannot be: \(error)")
    }
  }

  /// The tokenizer as it will be read from the finished model's folder.
  private static func tokenizer(_ folder: String, _ kind: ContrastiveKind) throws -> Tokenizer {
    var files = try TokenizerFiles(folder: folder)
    files.model = TokenizerFiles.File(
      path: "\(folder)/config.json",
      json: ["model_type": .string(kind.rawValue)]
    )
    return try Tokenizer(tables: TokenizerCompiler.compile(files))
  }

  // MARK: - From chance

  private static func described(
    _ arguments: TowerArguments,
    _ tokenizer: Tokenizer,
    _ folder: String
  ) throws -> ModelDescription {
    let isCLIP = arguments.loss == .clip
    let ids = try ids(tokenizer, folder, isCLIP: isCLIP)
    let hidden = arguments.visionHidden ?? 192
    let textHidden = arguments.textHidden ?? 128
    let side = arguments.imageSize ?? 112
    let blocks = arguments.visionLayers ?? 6
    guard isCLIP || arguments.projection ?? hidden == hidden else {
      throw CommandError(
        .usage,
        "--projection \(arguments.projection ?? 0): siglip's joint space is as wide as its encoder, "
          + "\(hidden)"
      )
    }
    let (activation, epsilon) = isCLIP ? (Activation.quickGelu, 1e-5) : (.geluTanh, 1e-6)
    return ModelDescription(
      name: arguments.loss.rawValue,
      encoder: EncoderDescription(
        family: arguments.loss.rawValue,
        imageSide: side,
        patchSide: arguments.patchSize ?? 14,
        hidden: hidden,
        blocks: blocks,
        heads: arguments.visionHeads ?? 3,
        ffn: arguments.visionIntermediate ?? 4 * hidden,
        activation: activation,
        epsilon: epsilon,
        hasClassToken: isCLIP,
        hasPatchBias: !isCLIP,
        hasPreNorm: isCLIP,
        hasFinalNorm: true,
        selection: FeatureSelection(layer: blocks, appliesFinalNorm: false, dropsFirst: isCLIP),
        projection: isCLIP ? arguments.projection ?? 128 : nil,
        hasPoolingHead: !isCLIP
      ),
      textTower: TextTowerDescription(
        family: arguments.loss.rawValue,
        vocab: tokenizer.count,
        context: arguments.textLength ?? 24,
        hidden: textHidden,
        blocks: arguments.textLayers ?? 3,
        heads: arguments.textHeads ?? 2,
        ffn: arguments.textIntermediate ?? 4 * textHidden,
        activation: activation,
        epsilon: epsilon,
        isCausal: isCLIP,
        pooling: isCLIP ? .endOfText : .last,
        projection: .init(
          width: isCLIP ? arguments.projection ?? 128 : hidden,
          hasBias: !isCLIP
        ),
        startID: ids.start,
        endID: ids.end,
        padID: ids.end
      ),
      recipe: isCLIP ? .clipSquare(side: side) : .siglip(side: side)
    )
  }

  /// The ids around a text.
  ///
  /// CLIP's tower finds the end of a text as its largest id: the end must be the last of the vocabulary.
  private static func ids(
    _ tokenizer: Tokenizer,
    _ folder: String,
    isCLIP: Bool
  ) throws -> (start: Int?, end: Int) {
    let settings = tokenizer.settings
    func refuse(_ problem: String) -> CommandError {
      CommandError(.badData, "\(folder.printable(limit: 4096)): \(problem)")
    }
    guard let end = (settings.suffix.last ?? settings.special.end).map({ Int($0) }) else {
      throw refuse("the tokenizer has no token for the end of a text")
    }
    guard isCLIP else { return (nil, end) }
    guard let start = (settings.prefix.first ?? settings.special.beginning).map({ Int($0) }) else {
      throw refuse("the tokenizer has no token for the start of a text, as clip needs it")
    }
    guard end == tokenizer.count - 1 else {
      throw refuse(
        "the end of a text has the id \(end) of \(tokenizer.count): clip needs the last one"
      )
    }
    return (start, end)
  }

  // MARK: - From a checkpoint

  private static func known(
    _ source: SourceModel,
    _ arguments: TowerArguments,
    _ tokenizer: Tokenizer
  ) throws -> ModelDescription {
    let path = (arguments.`init` ?? "").printable(limit: 4096)
    guard let encoder = source.model.encoder, let tower = source.model.textTower,
      encoder.jointWidth != nil, let recipe = source.model.recipe
    else {
      throw CommandError(.badData, "\(path): no vision encoder with its text tower here")
    }
    guard encoder.hasPoolingHead == (arguments.loss == .siglip) else {
      throw CommandError(.usage, "\(path): not a model for --loss \(arguments.loss.rawValue)")
    }
    guard tokenizer.count <= tower.vocab else {
      throw CommandError(
        .usage,
        "\(path): the text tower has \(tower.vocab) tokens, the tokenizer \(tokenizer.count)"
      )
    }
    let flags: [(name: String, given: Int?, here: Int)] = [
      ("image-size", arguments.imageSize, encoder.imageSide),
      ("patch-size", arguments.patchSize, encoder.patchSide),
      ("vision-hidden", arguments.visionHidden, encoder.hidden),
      ("vision-layers", arguments.visionLayers, encoder.blocks),
      ("vision-heads", arguments.visionHeads, encoder.heads),
      ("vision-intermediate", arguments.visionIntermediate, encoder.ffn),
      ("text-hidden", arguments.textHidden, tower.hidden),
      ("text-layers", arguments.textLayers, tower.blocks),
      ("text-heads", arguments.textHeads, tower.heads),
      ("text-intermediate", arguments.textIntermediate, tower.ffn),
      ("text-length", arguments.textLength, tower.context),
      ("projection", arguments.projection, tower.jointWidth),
    ]
    for flag in flags {
      if let given = flag.given, given != flag.here {
        throw CommandError(.usage, "--\(flag.name) \(given): the model of --init has \(flag.here)")
      }
    }
    return ModelDescription(
      name: source.model.name,
      encoder: encoder,
      textTower: tower,
      recipe: recipe
    )
  }
}
