// SPDX-License-Identifier: Apache-2.0
// Where the layers get their weights from when they are put together.

package import SEAModel
package import SEATensor

/// Hands out weights by canonical name.
package protocol WeightProvider {
  /// The matrix `name` of `[rows, columns]`.
  ///
  /// - Throws: when the tensor is absent or of another shape.
  func matrix(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> LinearWeight

  /// The vector or small table `name` of `count` values.
  ///
  /// - Throws: when the tensor is absent or of another size.
  func vector(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> FloatVector

  /// The mapped pages of the matrices whose names start with `prefix`, which lie together; nil when
  /// they are not mapped.
  func pages(under prefix: String) -> PageSpan?
}

extension WeightProvider {
  package func pages(under prefix: String) -> PageSpan? { nil }

  func vector(_ name: String, _ count: Int) throws(RuntimeError) -> FloatVector {
    try vector(name, rows: 1, columns: count)
  }

  /// The layer whose tensors are `name.weight` and, where it has one, `name.bias`.
  func linear(
    _ name: String,
    rows: Int,
    columns: Int,
    hasBias: Bool
  ) throws(RuntimeError) -> Linear {
    Linear(
      weight: try matrix("\(name).weight", rows: rows, columns: columns),
      bias: hasBias ? try vector("\(name).bias", rows) : nil
    )
  }

  /// The LayerNorm whose tensors are `name.weight` and `name.bias`.
  func layerNorm(_ name: String, width: Int, epsilon: Double) throws(RuntimeError) -> Normalization
  {
    .layer(
      weight: try vector("\(name).weight", width),
      bias: try vector("\(name).bias", width),
      epsilon: Float(epsilon)
    )
  }

  /// The RMS norm whose tensor is `name.weight`.
  func rmsNorm(_ name: String, width: Int, epsilon: Double) throws(RuntimeError) -> Normalization {
    .rootMeanSquare(weight: try vector("\(name).weight", width), epsilon: Float(epsilon))
  }
}

/// Weights of any source: matrices are read row by row when they are used, vectors at once.
package struct StreamedWeights: WeightProvider {
  private let source: any WeightSource

  /// The weights of `source`.
  package init(_ source: any WeightSource) {
    self.source = source
  }

  package func matrix(
    _ name: String,
    rows: Int,
    columns: Int
  ) throws(RuntimeError) -> LinearWeight {
    .streamed(StreamedMatrix(name: name, rows: rows, columns: columns, source: source))
  }

  package func vector(
    _ name: String,
    rows: Int,
    columns: Int
  ) throws(RuntimeError) -> FloatVector {
    let values: MatrixView<Float>
    do {
      values = try MatrixView(rows: rows, columns: columns)
    } catch {
      throw .file(error)
    }
    do {
      try source.read(name, rows: 0..<rows, into: values)
    } catch {
      throw .weights(tensor: name, reason: "\(error)")
    }
    source.release(name)
    return FloatVector(values.array())
  }
}
