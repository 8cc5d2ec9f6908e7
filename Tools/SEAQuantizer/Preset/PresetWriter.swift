// SPDX-License-Identifier: Apache-2.0
// Writes a model file of a preset's shapes with random weights, as fast as the disk takes it.

import SEAFormat
package import SEAModel
package import SEATensor

/// Makes a full-size model file whose every block differs, for measuring.
///
/// The values mean nothing: they are random, drawn by position, so the same preset, policy and seed
/// give the same bytes on every machine and for any number of threads. Memory stays at one chunk.
package struct PresetWriter: Sendable {
  private let preset: Preset
  private let policy: PrecisionPolicy
  private let seed: UInt64
  private let pool: WorkerPool

  /// What `provenance.training` says: `sea run` warns of it.
  private static let training = "none: random weights"

  /// Stored bytes made before they are written.
  private static let chunkBytes = 16 << 20

  /// A writer.
  ///
  /// - Parameters:
  ///   - preset: the shapes.
  ///   - policy: how each tensor is stored.
  ///   - seed: chooses the values.
  ///   - pool: threads that make them.
  package init(_ preset: Preset, policy: PrecisionPolicy, seed: UInt64, pool: WorkerPool) {
    self.preset = preset
    self.policy = policy
    self.seed = seed
    self.pool = pool
  }

  /// Bytes of all tensors; the file's header adds less than 1 MB.
  ///
  /// - Throws: `ModelError` for a description that has no plan.
  package func byteCount() throws(ModelError) -> Int {
    try TensorPlan(preset.model, policy: policy).byteCount
  }

  /// Writes the file.
  ///
  /// - Parameters:
  ///   - path: where the file appears when it is complete; an existing file is replaced.
  ///   - progress: called after each chunk.
  ///   - isCancelled: asked as often; true ends the work.
  /// - Throws: `ModelError`, `FormatError`, `QuantizerError.cancelled`. Nothing is left at `path` or
  ///   beside it that was not there before.
  package func write(
    to path: String,
    progress: (BuildProgress) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws {
    let model = preset.model
    try model.validate()
    let plan = try TensorPlan(model, policy: policy)
    var writer = try ModelFileWriter(
      path: path,
      manifest: ModelManifest(
        description: model.json,
        quantization: policy.json,
        provenance: provenance
      ),
      tensors: plan.all.map { SafetensorsTensor($0.name, $0.elementType, $0.storedShape) }
    )
    var largest = Self.chunkBytes
    for spec in plan.all { largest = max(largest, PresetTensor(spec, seed: seed).strideBytes) }
    let buffer = try AlignedBuffer(byteCount: largest)
    let total = plan.byteCount
    var done = 0
    for spec in plan.all {
      let tensor = PresetTensor(spec, seed: seed)
      let chunk = max(1, largest / tensor.strideBytes)
      var piece = 0
      while piece < tensor.pieces {
        let pieces = piece..<min(piece + chunk, tensor.pieces)
        pool.run(
          PresetWork(tensor: tensor, first: piece, output: buffer),
          pieces: pieces.count
        )
        done += try append(tensor, pieces, buffer, to: &writer)
        progress(BuildProgress(done: done, total: total, tensor: spec.name))
        if isCancelled() { throw QuantizerError.cancelled }
        piece = pieces.upperBound
      }
    }
    try writer.finish()
  }

  /// Hands pieces to the writer: at once where they lie without gaps, else one by one.
  private func append(
    _ tensor: PresetTensor,
    _ pieces: Range<Int>,
    _ buffer: AlignedBuffer,
    to writer: inout ModelFileWriter
  ) throws -> Int {
    let stride = tensor.strideBytes
    var runs: [(offset: Int, count: Int)] = []
    for (place, piece) in pieces.enumerated() {
      let count = tensor.byteCount(piece: piece)
      if let last = runs.last, last.offset + last.count == place * stride {
        runs[runs.count - 1].count += count
      } else {
        runs.append((place * stride, count))
      }
    }
    for run in runs {
      let bytes = buffer.matrix(
        of: UInt8.self,
        offset: run.offset,
        rows: 1,
        columns: run.count
      )
      try bytes.withRow(0) { try writer.write($0.span, to: tensor.spec.name) }
    }
    return runs.reduce(0) { $0 + $1.count }
  }

  private var provenance: JSONValue {
    [
      "preset": .string(preset.name),
      "shapes_of": .array(preset.hub.map { .string($0) }),
      "licence": .string(preset.licence),
      "training": .string(Self.training),
      "seed": .string(String(seed)),
      "generator": 1,
    ]
  }
}

/// Makes one piece of a tensor.
private struct PresetWork: ParallelWork {
  let tensor: PresetTensor
  /// The piece at the start of the buffer.
  let first: Int
  let output: AlignedBuffer

  func run(piece: Int, worker: Int) {
    let bytes = tensor.byteCount(piece: first + piece)
    let words = output.matrix(
      of: UInt64.self,
      offset: piece * tensor.strideBytes,
      rows: 1,
      columns: (bytes + 7) / 8
    )
    words.withRow(0) { (row: consuming MutableSpan<UInt64>) in
      tensor.fill(piece: first + piece, into: &row)
    }
  }
}
