// SPDX-License-Identifier: Apache-2.0
// The weights of the file that was just written, in place where that takes little memory.

import SEAFormat
import SEAModel
import SEARuntime
import SEATensor

/// Mapped weights by name.
struct FileTensors: WeightProvider, WeightSource {
  let model: ModelDescription
  private let file: ModelFile
  private let specs: [String: TensorSpec]
  private let kernels: Kernels

  /// Plain matrices above this size are read in pieces, with the same results: an f32 block of a large
  /// model would otherwise be resident as a whole.
  private static let largestInPlace = 32 << 20

  init(_ opened: Model, kernels: Kernels) {
    model = opened.description
    file = opened.file
    specs = Dictionary(uniqueKeysWithValues: opened.plan.all.map { ($0.name, $0) })
    self.kernels = kernels
  }

  func matrix(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> LinearWeight {
    let whole = try matrix(name, window: 0..<rows, columns: columns)
    guard case .plain(let matrix) = whole,
      rows * columns * matrix.storage.size > Self.largestInPlace
    else { return whole }
    return .streamed(StreamedMatrix(name: name, rows: rows, columns: columns, source: self))
  }

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard case .plain(let matrix) = try matrix(name, window: rows, columns: out.columns) else {
      throw RuntimeError.weights(tensor: name, reason: "is packed, expected plain rows")
    }
    for row in 0..<rows.count { kernels.unpack(matrix, row: row, into: out.rows(row..<row + 1)) }
  }

  func vector(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> FloatVector {
    let bytes = try bytes(name).bytes
    do throws(WeightError) {
      return try FloatVector(bytes, count: rows * columns)
    } catch {
      throw .weights(tensor: name, reason: "\(error)")
    }
  }

  /// Some rows of a matrix; a window of a packed one starts with a panel.
  func matrix(
    _ name: String,
    window: Range<Int>,
    columns: Int
  ) throws(RuntimeError) -> LinearWeight {
    let (spec, bytes) = try bytes(name)
    let range =
      spec.storedBytes(rows: window.lowerBound)..<spec.storedBytes(rows: window.upperBound)
    guard spec.columns == columns, range.upperBound <= bytes.count else {
      throw .weights(tensor: name, reason: "has no rows \(window) of \(columns) columns")
    }
    let stored = bytes.slice(range)
    do throws(WeightError) {
      if let format = spec.format {
        return .packed(
          try PackedMatrix(stored, rows: window.count, columns: columns, format: format)
        )
      }
      return .plain(
        try PlainMatrix(
          stored,
          rows: window.count,
          columns: columns,
          storage: spec.elementType == .float32 ? .float32 : .bfloat16
        )
      )
    } catch {
      throw .weights(tensor: name, reason: "\(error)")
    }
  }

  /// Gives the pages of a tensor back to the system.
  func release(_ name: String) {
    if let info = file.info(name) { file.mapping.release(info.range) }
  }

  private func bytes(_ name: String) throws(RuntimeError) -> (spec: TensorSpec, bytes: ByteView) {
    guard let spec = specs[name], let info = file.info(name) else {
      throw .weights(tensor: name, reason: "is missing")
    }
    return (spec, file.bytes(of: info))
  }
}
