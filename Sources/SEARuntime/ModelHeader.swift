// SPDX-License-Identifier: Apache-2.0
// What a model file says about itself, before any of its weights is touched.

package import SEAFormat
package import SEAModel
package import SEATensor

/// A mapped model file whose description has been read and checked in itself.
package struct ModelHeader: Sendable {
  /// The mapped file.
  package let file: ModelFile
  /// What the model is.
  package let description: ModelDescription
  /// How its tensors are stored.
  package let policy: PrecisionPolicy
  /// Its tensors.
  package let plan: TensorPlan

  /// Maps a model file and reads its header.
  ///
  /// - Throws: `RuntimeError` naming the file and the field that is wrong.
  package init(path: String) throws(RuntimeError) {
    let file: ModelFile
    do throws(FormatError) {
      file = try ModelFile(path: path)
    } catch {
      throw .format(error)
    }
    try self.init(file: file)
  }

  /// Reads what a file says about itself.
  ///
  /// - Throws: `RuntimeError.model` naming the field.
  package init(file: ModelFile) throws(RuntimeError) {
    self.file = file
    do throws(ModelError) {
      description = try ModelDescription(json: file.manifest.description)
      policy = try PrecisionPolicy(json: file.manifest.quantization)
      plan = try TensorPlan(description, policy: policy)
    } catch {
      throw .model(path: file.path, error)
    }
  }

  /// The type of cache that suits the weights: exact weights deserve exact keys and values.
  package var defaultCacheType: CacheType {
    plan.matrices.allSatisfy { $0.storage == .float32 } ? .float32 : .float16
  }
}
