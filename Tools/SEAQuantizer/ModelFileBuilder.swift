// SPDX-License-Identifier: Apache-2.0
// Writes a model file from any source of weights, as a stream.

package import SEAFormat
package import SEAModel
package import SEATensor
package import SEAText

/// How much of the output has been written.
package struct BuildProgress: Sendable, Equatable {
  /// Bytes of tensors written.
  package let done: Int
  /// Bytes of tensors in all.
  package let total: Int
  /// The tensor that is being written.
  package let tensor: String
}

/// Makes a model file: each tensor of the plan is read in pieces, stored as the policy says, and
/// written in file order.
///
/// Memory stays below 100 MB for any model with a few threads. The same inputs give the same bytes,
/// whatever the number of threads.
package struct ModelFileBuilder: Sendable {
  private let source: any WeightSource
  private let tokenizer: TokenizerTables?
  private let policy: PrecisionPolicy
  private let provenance: JSONValue
  private let allowsNonFinite: Bool
  private let pool: WorkerPool
  private let kernels: Kernels

  /// A builder.
  ///
  /// - Parameters:
  ///   - source: weights under canonical names; rows are read from several threads at once.
  ///   - tokenizer: the compiled tokenizer, for models that have one.
  ///   - policy: how each tensor is stored.
  ///   - provenance: where the weights come from, stored as given.
  ///   - allowsNonFinite: store NaN and infinities: plain tensors keep them; in int8 and int4 a NaN
  ///     becomes 0, an infinity the largest finite magnitude of its row.
  ///   - pool: threads that encode.
  ///   - kernels: conversions; every instruction set gives the same bytes.
  package init(
    source: any WeightSource,
    tokenizer: TokenizerTables?,
    policy: PrecisionPolicy,
    provenance: JSONValue = .object(JSONObject()),
    allowsNonFinite: Bool = false,
    pool: WorkerPool,
    kernels: Kernels
  ) {
    self.source = source
    self.tokenizer = tokenizer
    self.policy = policy
    self.provenance = provenance
    self.allowsNonFinite = allowsNonFinite
    self.pool = pool
    self.kernels = kernels
  }

  /// Writes the file.
  ///
  /// - Parameters:
  ///   - path: where the file appears when it is complete; an existing file is replaced.
  ///   - progress: called after each piece of at most a few MB.
  ///   - isCancelled: asked as often; true ends the work.
  /// - Returns: what was stored, and how far it is from the source.
  /// - Throws: `QuantizerError.nonFinite`, `QuantizerError.cancelled`, `ModelError` for a description
  ///   that has no plan, `FormatError` for the output, or what the source throws. Nothing is left at
  ///   `path` or beside it that was not there before.
  package func write(
    to path: String,
    progress: (BuildProgress) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> QuantizationReport {
    let model = source.model
    try model.validate()
    let plan = try TensorPlan(model, policy: policy)
    let blobs = tokenizer?.blobs ?? []
    let tensors =
      plan.matrices.map(\.declaration)
      + blobs.map { SafetensorsTensor($0.name, .uint8, [$0.bytes.count]) }
      + plan.vectors.map(\.declaration)
    var writer = try ModelFileWriter(
      path: path,
      manifest: ModelManifest(
        description: model.json,
        quantization: policy.json,
        provenance: provenance
      ),
      tensors: tensors
    )
    let encoder = try TensorEncoder(source: source, plan: plan, kernels: kernels, pool: pool)
    let total = plan.byteCount + blobs.reduce(0) { $0 + $1.bytes.count }
    var done = 0
    var report = QuantizationReport()

    func advance(by count: Int, in tensor: String) throws {
      done += count
      progress(BuildProgress(done: done, total: total, tensor: tensor))
      if isCancelled() { throw QuantizerError.cancelled }
    }

    for spec in plan.matrices {
      report.add(spec, try write(spec, encoder, &writer, advance))
    }
    for blob in blobs {
      try writer.write(blob.bytes, to: blob.name)
      try advance(by: blob.bytes.count, in: blob.name)
    }
    for spec in plan.vectors {
      report.add(spec, try write(spec, encoder, &writer, advance))
    }
    try writer.finish()
    return report
  }

  private func write(
    _ spec: TensorSpec,
    _ encoder: TensorEncoder,
    _ writer: inout ModelFileWriter,
    _ advance: (Int, String) throws -> Void
  ) throws -> TensorStatistics {
    let statistics = try encoder.encode(spec, allowsNonFinite: allowsNonFinite) { bytes in
      try writer.write(bytes, to: spec.name)
      try advance(bytes.count, spec.name)
    }
    guard allowsNonFinite || statistics.nonFinite == 0 else {
      throw QuantizerError.nonFinite(
        tensor: spec.name,
        count: statistics.nonFinite,
        values: spec.rows * spec.columns
      )
    }
    return statistics
  }
}

extension TensorSpec {
  /// The tensor as the model file declares it.
  fileprivate var declaration: SafetensorsTensor {
    SafetensorsTensor(name, elementType, storedShape)
  }
}
