// SPDX-License-Identifier: Apache-2.0
// An encoder with its text tower, compiled from a checkpoint's folder into a model file and opened.

internal import SEACheckpoint
internal import SEAFormat
package import SEAImage
package import SEAModel
internal import SEAQuantizer
package import SEARuntime
internal import SEATensor
internal import SEAText

/// How the weights of encoder and text tower are stored.
package enum LabelWeights: String, Sendable, CaseIterable {
  case float32 = "f32"
  case bfloat16 = "bf16"
  case int8

  var policy: PrecisionPolicy {
    switch self {
    case .float32: PrecisionPolicy(all: .float32)
    case .bfloat16: PrecisionPolicy(all: .bfloat16)
    case .int8: .int8(group: 128)
    }
  }
}

/// A vision encoder and the text tower it was trained with.
package final class LabelEncoder: Sendable {
  /// The folder of the checkpoint.
  package let path: String
  /// SHA-256 over the hashes of all input files, whatever their folder is called.
  package let digest: String
  package let weights: LabelWeights
  package let encoder: EncoderDescription
  package let recipe: ImageRecipe
  let vision: VisionEncoder
  let model: Model

  /// Opens the checkpoint in `path`, with a model file in the cache in between.
  ///
  /// - Parameters:
  ///   - path: a folder in the layout of Hugging Face or open_clip.
  ///   - recipe: name of an image recipe; nil: what the checkpoint's preprocessor says, which is the
  ///     geometry of stage 1.
  ///   - weights: how weights are stored.
  ///   - cache: where the model file is kept.
  ///   - execution: kernels and threads.
  ///   - progress: bytes written and bytes in all, while the model file is made.
  ///   - isCancelled: asked often while the file is made.
  /// - Throws: `LabelError.encoder` when a part is missing, or what opening and writing throw.
  package init(
    path: String,
    recipe: String?,
    weights: LabelWeights,
    cache: LabelCache,
    on execution: Execution,
    progress: (Int, Int) -> Void = { _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws {
    var options = SourceOptions()
    options.recipe = recipe
    options.takesTextTower = true
    let source = try SourceModel(path: path, options: options)
    digest = try Self.digest(of: source)
    let parts: [(name: String, isThere: Bool)] = [
      ("vision encoder", source.model.encoder != nil),
      ("text tower", source.model.textTower != nil),
      ("tokenizer", source.tokenizerFolder != nil),
    ]
    for part in parts where !part.isThere {
      throw LabelError.encoder(
        path: path,
        problem: "has no \(part.name); labels need CLIP's or SigLIP's two towers and tokenizer"
      )
    }
    model = try Self.compiled(
      source,
      digest: digest,
      weights: weights,
      cache: cache,
      on: execution,
      progress: progress,
      isCancelled: isCancelled
    )
    guard let encoder = model.description.encoder, let recipe = model.description.recipe,
      let vision = model.encoder
    else {
      throw LabelError.encoder(path: path, problem: "has no vision encoder with a recipe")
    }
    self.path = path
    self.weights = weights
    self.encoder = encoder
    self.recipe = recipe
    self.vision = vision
  }

  /// The model file of the cache, made where it is absent, damaged or of something else.
  private static func compiled(
    _ source: SourceModel,
    digest: String,
    weights: LabelWeights,
    cache: LabelCache,
    on execution: Execution,
    progress: (Int, Int) -> Void,
    isCancelled: () -> Bool
  ) throws -> Model {
    let recipe = Digest.of(Array((source.model.recipe?.json.serialized() ?? "").utf8))
    let path = cache.path(
      "encoder-\(digest.prefix(24))-\(weights.rawValue)-\(recipe.prefix(8)).sea"
    )
    if let model = try? Model(path: path), model.description.isSameModel(as: source.model),
      (try? model.file.verify()) != nil
    {
      return model
    }
    let builder = ModelFileBuilder(
      source: source,
      tokenizer: try source.tokenizerFolder.map {
        try TokenizerCompiler.compile(TokenizerFiles(folder: $0))
      },
      policy: weights.policy,
      pool: execution.pool,
      kernels: execution.kernels
    )
    do {
      _ = try builder.write(
        to: path,
        progress: { progress($0.done, $0.total) },
        isCancelled: isCancelled
      )
    } catch QuantizerError.cancelled {
      throw LabelError.cancelled
    }
    return try Model(path: path)
  }

  /// A hash of everything that the model is made of.
  private static func digest(of source: SourceModel) throws -> String {
    var lines: [String] = []
    for input in try source.provenance()["inputs"]?.array ?? [] {
      let name = input["file"]?.string?.split(separator: "/").last.map(String.init) ?? ""
      lines.append("\(name) \(input["sha256"]?.string ?? "")\n")
    }
    var digest = Digest()
    for line in lines.sorted() { digest.update(line) }
    return digest.hexadecimal
  }

  /// Rows and columns of the patch grid.
  package var grid: LabelGrid { LabelGrid(rows: encoder.gridSide, columns: encoder.gridSide) }

  /// Width of the joint space.
  package var jointWidth: Int { encoder.jointWidth ?? 0 }
}

extension ModelDescription {
  /// Equal but for the name, which is a folder's.
  fileprivate func isSameModel(as other: ModelDescription) -> Bool {
    var renamed = other
    renamed.name = name
    return self == renamed
  }
}
