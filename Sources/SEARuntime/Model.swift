// SPDX-License-Identifier: Apache-2.0
// A model file, opened: its description checked, its tensors bound.

package import SEAFormat
import SEAImage
package import SEAModel
package import SEATensor
package import SEAText

/// An open model; any subset of parts may be present.
///
/// A model is immutable and holds no state of any sequence: many generators can share it.
public final class Model: Sendable {
  /// The path as given.
  public let path: String

  /// What the file says about itself.
  package let header: ModelHeader
  /// Text to ids and back.
  package let tokenizer: Tokenizer?
  /// Pixels to patch features.
  package let encoder: VisionEncoder?
  /// Words to points of the joint space.
  package let textTower: TextTower?
  /// Patch features to visual tokens.
  package let adapter: Adapter?
  /// Ids and visual tokens to scores.
  package let language: LanguageModel?

  /// Opens a model file; nothing is read but the header, the tokenizer's tables and what is checked.
  ///
  /// - Throws: `RuntimeError` naming the file and the field or tensor that is wrong.
  package convenience init(
    path: String,
    placement: WeightPlacement = .mapped
  ) throws(RuntimeError) {
    try self.init(ModelHeader(path: path), placement: placement)
  }

  /// Binds the tensors of a file.
  ///
  /// - Throws: `RuntimeError` naming the file and the field or tensor that is wrong.
  package convenience init(
    file: ModelFile,
    placement: WeightPlacement = .mapped
  ) throws(RuntimeError) {
    try self.init(ModelHeader(file: file), placement: placement)
  }

  /// Binds the tensors of a file whose header has been read.
  ///
  /// - Throws: `RuntimeError` naming the file and the tensor that is wrong.
  package init(
    _ header: ModelHeader,
    placement: WeightPlacement = .mapped
  ) throws(RuntimeError) {
    let (file, description) = (header.file, header.description)
    let weights = try FileWeights(file, plan: header.plan, placement: placement)
    path = file.path
    self.header = header
    tokenizer = try Self.tokenizer(of: file)
    encoder =
      if let encoder = description.encoder {
        try VisionEncoder(encoder, weights: weights)
      } else {
        nil
      }
    textTower =
      if let tower = description.textTower { try TextTower(tower, weights: weights) } else { nil }
    adapter =
      if let adapter = description.adapter { try Adapter(adapter, weights: weights) } else { nil }
    language =
      if let language = description.language {
        try LanguageModel(language, visualScale: description.visualScale, weights: weights)
      } else {
        nil
      }
  }

  /// The mapped file.
  package var file: ModelFile { header.file }

  /// What the model is.
  package var description: ModelDescription { header.description }

  /// How its tensors are stored.
  package var policy: PrecisionPolicy { header.policy }

  /// Its tensors.
  package var plan: TensorPlan { header.plan }

  /// The type of cache that suits the weights.
  package var defaultCacheType: CacheType { header.defaultCacheType }

  /// Refuses to go on with a file that has become shorter.
  ///
  /// - Throws: `RuntimeError.file`.
  func checkFile() throws(RuntimeError) {
    do throws(FileError) {
      try file.mapping.checkIntact()
    } catch {
      throw .file(error)
    }
  }

  private static func tokenizer(of file: ModelFile) throws(RuntimeError) -> Tokenizer? {
    let tables = TokenizerTables { name in file.info(name).map { file.bytes(of: $0) } }
    guard !tables.blobs.isEmpty else { return nil }
    do throws(TextError) {
      return try Tokenizer(tables: tables)
    } catch {
      throw .format(Self.refused(error, path: file.path))
    }
  }

  /// A fault of the tokenizer's tables, told as the file's.
  private static func refused(_ error: TextError, path: String) -> FormatError {
    switch error {
    case .missingTable(let name): .missingTensor(path: path, name: name)
    case .badTable(let name, let problem): .tensor(path: path, name: name, rule: problem)
    default: .tensor(path: path, name: TokenizerTables.Name.settings, rule: "\(error)")
    }
  }

  /// The language model.
  ///
  /// - Throws: `RuntimeError.missingPart`.
  package func requireLanguage() throws(RuntimeError) -> LanguageModel {
    guard let language else { throw .missingPart(name: "language model", model: path) }
    return language
  }

  /// The encoder.
  ///
  /// - Throws: `RuntimeError.missingPart`.
  package func requireEncoder() throws(RuntimeError) -> VisionEncoder {
    guard let encoder else { throw .missingPart(name: "vision encoder", model: path) }
    return encoder
  }

  /// The adapter.
  ///
  /// - Throws: `RuntimeError.missingPart`.
  package func requireAdapter() throws(RuntimeError) -> Adapter {
    guard let adapter else { throw .missingPart(name: "adapter", model: path) }
    return adapter
  }

  /// The tokenizer.
  ///
  /// - Throws: `RuntimeError.missingPart`.
  package func requireTokenizer() throws(RuntimeError) -> Tokenizer {
    guard let tokenizer else { throw .missingPart(name: "tokenizer", model: path) }
    return tokenizer
  }
}
