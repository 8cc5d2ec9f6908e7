// SPDX-License-Identifier: Apache-2.0
// Where a model's weights can be read from, whatever the file looks like.

package import SEATensor

/// Weights under canonical names, read as f32 in pieces of bounded size.
///
/// A foreign checkpoint and a model file are both sources; the converter, the quantiser and the parity
/// verdict read either without knowing which.
package protocol WeightSource: Sendable {
  /// What the weights make up.
  var model: ModelDescription { get }

  /// Reads rows of a tensor of the plan, widened to f32 with every fold applied.
  ///
  /// - Parameters:
  ///   - name: canonical name.
  ///   - rows: rows of the tensor (a vector is one row).
  ///   - out: `[rows.count, columns]`.
  /// - Throws: when the tensor is absent or its bytes cannot be read.
  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws

  /// Gives the tensor's file pages back to the system.
  func release(_ name: String)
}
