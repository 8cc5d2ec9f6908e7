// SPDX-License-Identifier: Apache-2.0
// A folder for written files, and the builder with its usual arguments.

import Foundation
import SEAFormat
import SEAModel
import SEAQuantizer
import SEATensor
import SEAText

/// A new folder that disappears with its owner.
final class Workbench {
  let folder: String
  let kernels: Kernels

  init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("sea-quantizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    folder = url.path
    kernels = try Kernels(InstructionSet.best)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func path(_ name: String) -> String { folder + "/" + name }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
  }

  /// Writes a model file and returns its report.
  @discardableResult
  func build(
    _ source: any WeightSource,
    _ policy: PrecisionPolicy,
    to name: String = "out.sea",
    tokenizer: TokenizerTables? = nil,
    provenance: JSONValue = ["layout": "test"],
    allowsNonFinite: Bool = false,
    threads: Int = 2,
    progress: (BuildProgress) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> QuantizationReport {
    try ModelFileBuilder(
      source: source,
      tokenizer: tokenizer,
      policy: policy,
      provenance: provenance,
      allowsNonFinite: allowsNonFinite,
      pool: WorkerPool(threads: threads),
      kernels: kernels
    ).write(to: path(name), progress: progress, isCancelled: isCancelled)
  }

  /// A stored tensor, dequantised, row by row.
  func stored(_ spec: TensorSpec, in file: ModelFile) throws -> [[Float]] {
    let bytes = try file.tensor(spec.name).bytes
    let row = try MatrixView<Float>(rows: 1, columns: spec.columns)
    var rows: [[Float]] = []
    if let format = spec.format {
      let matrix = try PackedMatrix(bytes, rows: spec.rows, columns: spec.columns, format: format)
      for index in 0..<spec.rows {
        matrix.unpack(row: index, into: row)
        rows.append(row.array())
      }
    } else {
      let matrix = try PlainMatrix(
        bytes,
        rows: spec.rows,
        columns: spec.columns,
        storage: spec.elementType == .float32 ? .float32 : .bfloat16
      )
      for index in 0..<spec.rows {
        kernels.unpack(matrix, row: index, into: row)
        rows.append(row.array())
      }
    }
    return rows
  }
}

/// f32 bits rounded to the nearest bf16, ties to even; finite values only.
func roundedToBFloat16(_ value: Float) -> Float {
  let bits = value.bitPattern
  return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
}
