// SPDX-License-Identifier: Apache-2.0
// Weights stored by a policy, in memory.

import SEAModel
import SEARuntime
import SEATensor

/// Packs a source's weights as a model file would hold them.
struct MemoryWeights: WeightProvider {
  private var matrices: [String: LinearWeight] = [:]
  private var vectors: [String: FloatVector] = [:]

  init(_ source: FixtureModel, policy: PrecisionPolicy) throws {
    let kernels = try Kernels(.scalar)
    for spec in try TensorPlan(source.model, policy: policy).all {
      let values = try MatrixView<Float>(rows: spec.rows, columns: spec.columns)
      try source.read(spec.name, rows: 0..<spec.rows, into: values)
      if spec.isVector {
        vectors[spec.name] = FloatVector(values.array())
        continue
      }
      if let format = spec.format {
        let bytes = try Self.pack(values, format: format)
        matrices[spec.name] = .packed(
          try PackedMatrix(bytes, rows: spec.rows, columns: spec.columns, format: format)
        )
      } else {
        let bytes: [UInt8]
        if spec.storage == .bfloat16 {
          let rounded = try MatrixView<UInt16>(rows: spec.rows, columns: spec.columns)
          kernels.convert(values, toBFloat16: rounded)
          bytes = rounded.array().flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        } else {
          bytes = values.array().flatMap { value in
            (0..<4).map { UInt8(value.bitPattern >> ($0 * 8) & 255) }
          }
        }
        matrices[spec.name] = .plain(
          try PlainMatrix(
            ByteView(bytes),
            rows: spec.rows,
            columns: spec.columns,
            storage: spec.storage == .bfloat16 ? .bfloat16 : .float32
          )
        )
      }
    }
  }

  static func pack(_ values: MatrixView<Float>, format: PackedFormat) throws -> ByteView {
    let size = format.byteCount(rows: 32, columns: values.columns) ?? 0
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: values.rows, by: 32) {
      let panel = try MatrixView<UInt8>(rows: 1, columns: size)
      _ = Kernels.pack(
        values.rows(start..<min(start + 32, values.rows)),
        format: format,
        into: panel
      )
      bytes += panel.array()
    }
    return ByteView(bytes)
  }

  func matrix(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> LinearWeight {
    guard let matrix = matrices[name] else { throw .weights(tensor: name, reason: "missing") }
    guard matrix.rows == rows, matrix.columns == columns else {
      throw .weights(tensor: name, reason: "shape differs")
    }
    return matrix
  }

  func vector(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> FloatVector {
    guard let vector = vectors[name] else { throw .weights(tensor: name, reason: "missing") }
    guard vector.count == rows * columns else {
      throw .weights(tensor: name, reason: "size differs")
    }
    return vector
  }
}
