// SPDX-License-Identifier: Apache-2.0
// Samples with their ids, made once: an epoch reads and tokenises nothing that the last one did.

internal import SEADataset

/// A sample as the steps use it.
struct PreparedSample {
  /// For messages.
  let name: String
  let id: String
  let image: String?
  let tokens: TokenizedSample
}

/// The samples of a dataset, read and tokenised when they are first wanted; as many are kept as fit.
final class PreparedSamples {
  private let dataset: Dataset
  private let tokenizer: SampleTokenizer
  private var kept: [Int: PreparedSample] = [:]
  private var keptBytes = 0

  /// Bytes of kept samples, roughly: a million short ones.
  static let maxBytes = 256 << 20

  init(_ dataset: Dataset, tokenizer: SampleTokenizer) {
    self.dataset = dataset
    self.tokenizer = tokenizer
  }

  /// The sample at `index` of the dataset.
  ///
  /// - Throws: `DatasetError.record` when the file has changed, `TextError`.
  func sample(_ index: Int) throws -> PreparedSample {
    if let known = kept[index] { return known }
    let sample = try dataset.sample(index)
    let prepared = PreparedSample(
      name: sample.id.isEmpty ? "line \(dataset.entries[index].line)" : sample.id,
      id: sample.id,
      image: sample.image,
      tokens: try tokenizer.encode(sample)
    )
    // An id, its part and its flag, and what the arrays and strings take beside.
    let bytes = 6 * prepared.tokens.ids.count + 2 * prepared.name.utf8.count + 256
    if keptBytes + bytes <= Self.maxBytes {
      kept[index] = prepared
      keptBytes += bytes
    }
    return prepared
  }
}
