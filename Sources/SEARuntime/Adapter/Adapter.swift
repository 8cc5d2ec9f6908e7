// SPDX-License-Identifier: Apache-2.0
// The adapter: patch features in, visual tokens out.

package import SEAImage
package import SEAModel
package import SEATensor

/// Linear layers with an activation between them; features and tokens may form a grid.
///
/// Source: reference.md C.1.
package final class Adapter: Sendable {
  /// What the adapter is.
  package let adapter: AdapterDescription

  private let layers: [Linear]
  private let newline: FloatVector?

  /// Rows that pass through the layers together.
  private static let chunk = 256

  /// Binds the weights of an adapter.
  ///
  /// - Throws: `RuntimeError` naming a tensor that is absent or does not fit.
  package init(
    _ adapter: AdapterDescription,
    weights: any WeightProvider
  ) throws(RuntimeError) {
    self.adapter = adapter
    var layers: [Linear] = []
    for index in 0..<adapter.layers {
      layers.append(
        try weights.linear(
          "adapter.\(index)",
          rows: adapter.widths[index + 1],
          columns: adapter.widths[index],
          hasBias: true
        )
      )
    }
    self.layers = layers
    newline =
      adapter.hasNewline
      ? try weights.vector("adapter.newline", rows: 1, columns: adapter.outputWidth) : nil
  }

  /// Bytes of working memory while it runs.
  package static func scratchBytes(_ adapter: AdapterDescription) -> Int {
    var plan = ScratchPlan()
    _ = Regions(in: &plan, adapter)
    return plan.byteCount
  }

  /// Maps patch features to visual tokens.
  ///
  /// - Parameters:
  ///   - features: `[patches, width]`.
  ///   - picture: the picture before padding, in pixels; nil: it fills the square.
  ///   - tracing: sees the result.
  ///   - execution: kernels and threads.
  /// - Returns: `[tokens, hidden]`; as many tokens as patches unless the adapter has a grid.
  /// - Throws: `RuntimeError.input` for another width, `.file` when memory cannot be had.
  package func run(
    _ features: MatrixView<Float>,
    of picture: ImageSize? = nil,
    tracing: Tracing? = nil,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    guard features.columns == adapter.inputWidth else {
      throw .input(
        what: "the width of the patch features",
        found: "\(features.columns)",
        expected: "\(adapter.inputWidth)"
      )
    }
    let tokens: MatrixView<Float>
    if adapter.needsGrid {
      let grid = try TokenGrid(adapter, features: features.rows, picture: picture)
      let cells = try grid.resample(features, on: execution)
      tokens = try grid.arrange(try project(cells, on: execution), newline: newline)
    } else {
      tokens = try project(features, on: execution)
    }
    tracing?.record(.visualTokens, tokens)
    return tokens
  }

  /// Runs the linear layers, `[rows, width]` to `[rows, hidden]`.
  private func project(
    _ features: MatrixView<Float>,
    on execution: Execution
  ) throws(RuntimeError) -> MatrixView<Float> {
    let tokens: MatrixView<Float>
    do throws(FileError) {
      tokens = try MatrixView(rows: features.rows, columns: adapter.outputWidth)
    } catch {
      throw .file(error)
    }
    var plan = ScratchPlan()
    let regions = Regions(in: &plan, adapter)
    let buffer = try AlignedBuffer(plan)
    let room = LinearRoom(buffer: buffer, scratch: regions.linear, stream: StreamBuffer())
    var start = 0
    while start < features.rows {
      let rows = start..<min(start + Self.chunk, features.rows)
      var input = features.rows(rows)
      for index in layers.indices {
        let isLast = index == layers.count - 1
        let output =
          isLast
          ? tokens.rows(rows)
          : buffer.view(
            regions.inner[index % 2],
            rows: rows.count,
            columns: adapter.widths[index + 1]
          )
        let epilogue: Epilogue = isLast ? .none : .activate(adapter.activation)
        try execution.apply(
          input,
          in: room,
          LinearTask(layers[index], into: output, then: epilogue)
        )
        input = output
      }
      start = rows.upperBound
    }
    return tokens
  }

  private struct Regions {
    let linear: LinearScratch
    let inner: [ScratchSlot<Float>]

    init(in plan: inout ScratchPlan, _ adapter: AdapterDescription) {
      let widest = adapter.widths.max() ?? 1
      linear = LinearScratch(
        in: &plan,
        tokens: Adapter.chunk,
        normalized: 0,
        columns: widest
      )
      inner = [
        plan.reserve(count: Adapter.chunk * widest), plan.reserve(count: Adapter.chunk * widest),
      ]
    }
  }
}
