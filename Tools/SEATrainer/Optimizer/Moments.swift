// SPDX-License-Identifier: Apache-2.0
// The optimiser's two running means of a tensor: in f32, or a byte each with a scale for each block.

package import SEATensor

/// How moments are stored.
package enum MomentType: String, Sendable, CaseIterable {
  case float32 = "adamw"
  /// A byte each: a quarter of the memory. Small tensors and vectors stay f32.
  case bytes = "adamw8bit"

  /// Numbers that a tensor must have before its moments are worth a code.
  private static let fewest = 4096

  /// Whether a tensor of this shape gets codes.
  func usesCodes(rows: Int, columns: Int) -> Bool {
    self == .bytes && rows > 1 && rows * columns >= Self.fewest
  }

  /// Bytes of both moments of a tensor.
  package func byteCount(rows: Int, columns: Int) -> Int {
    guard usesCodes(rows: rows, columns: columns) else { return rows * columns * 8 }
    return 2 * rows * (columns + 4 * CodedMoment.blocks(columns))
  }
}

/// Both moments of a tensor.
package enum Moments {
  /// Running means of the gradient and of its square, each `[rows, columns]`.
  case float32(mean: MatrixView<Float>, square: MatrixView<Float>)
  /// The same as codes.
  case codes(mean: CodedMoment, square: CodedMoment)

  /// Moments of zero.
  ///
  /// - Throws: `FileError.outOfMemory`.
  init(_ type: MomentType, rows: Int, columns: Int) throws(FileError) {
    if type.usesCodes(rows: rows, columns: columns) {
      self = .codes(
        mean: try CodedMoment(rows: rows, columns: columns),
        square: try CodedMoment(rows: rows, columns: columns)
      )
    } else {
      self = .float32(
        mean: try MatrixView(rows: rows, columns: columns),
        square: try MatrixView(rows: rows, columns: columns)
      )
    }
  }

  /// Bytes of both.
  var byteCount: Int {
    switch self {
    case .float32(let mean, _): 2 * mean.rows * mean.columns * 4
    case .codes(let mean, let square): mean.byteCount + square.byteCount
    }
  }
}

/// Codes of one moment, and for each block of a row what 1 stands for there.
package struct CodedMoment {
  /// Numbers that share a scale.
  static let block = 256

  /// `[rows, columns]`.
  package let codes: MatrixView<UInt8>
  /// `[rows, blocks]`.
  package let scales: MatrixView<Float>

  /// Codes of zero.
  ///
  /// - Throws: `FileError.outOfMemory`.
  init(rows: Int, columns: Int) throws(FileError) {
    codes = try MatrixView(rows: rows, columns: columns)
    scales = try MatrixView(rows: rows, columns: Self.blocks(columns))
  }

  /// Blocks of a row.
  static func blocks(_ columns: Int) -> Int { (columns + block - 1) / block }

  /// Bytes of codes and scales.
  var byteCount: Int { codes.rows * (codes.columns + 4 * scales.columns) }
}
