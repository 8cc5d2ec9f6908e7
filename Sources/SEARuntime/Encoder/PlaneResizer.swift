// SPDX-License-Identifier: Apache-2.0
// Bicubic resampling of normalised pixels, as multi-scale encoders were trained with.

import SEATensor

/// Resamples square planes of f32 values.
///
/// Keys cubic with a = -0.75 over four taps whatever the scale (no antialiasing), half-pixel centres,
/// edges repeated: not the filter that recipes resample pictures with.
///
/// Source: PyTorch `interpolate(mode="bicubic", align_corners=False)`; reference.md B.3.
struct PlaneResizer: Sendable {
  /// Taps of one output position.
  private struct Taps: Sendable {
    var indices: (Int, Int, Int, Int)
    var weights: (Float, Float, Float, Float)
  }

  private let taps: [Taps]
  private let target: Int
  private let source: Int

  private static let a: Float = -0.75

  /// A resizer from planes of `source²` to planes of `target²` values.
  init(from source: Int, to target: Int) {
    self.source = source
    self.target = target
    let scale = Float(source) / Float(target)
    taps = (0..<target).map { position in
      let center = scale * (Float(position) + 0.5) - 0.5
      let first = center.rounded(.down)
      func index(_ offset: Int) -> Int { min(max(Int(first) + offset, 0), source - 1) }
      let t = center - first
      return Taps(
        indices: (index(-1), index(0), index(1), index(2)),
        weights: (Self.outer(t + 1), Self.inner(t), Self.inner(1 - t), Self.outer(2 - t))
      )
    }
  }

  /// The cubic within one pixel of its centre.
  private static func inner(_ x: Float) -> Float { ((a + 2) * x - (a + 3)) * x * x + 1 }

  /// The cubic between one and two pixels from its centre.
  private static func outer(_ x: Float) -> Float { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }

  /// Resamples.
  ///
  /// - Parameters:
  ///   - planes: `[planes · source, source]`.
  ///   - result: `[planes · target, target]`.
  ///   - execution: threads.
  func run(
    _ planes: MatrixView<Float>,
    into result: MatrixView<Float>,
    on execution: Execution
  ) {
    precondition(
      planes.rows % source == 0 && planes.columns == source && result.columns == target
        && result.rows == planes.rows / source * target,
      "\(planes.rows)×\(planes.columns) to \(result.rows)×\(result.columns)"
    )
    execution.pool.run(
      ResizeWork(resizer: self, planes: planes, result: result),
      pieces: result.rows
    )
  }

  /// One row of the result.
  private struct ResizeWork: ParallelWork {
    let resizer: PlaneResizer
    let planes: MatrixView<Float>
    let result: MatrixView<Float>

    func run(piece: Int, worker: Int) {
      let plane = piece / resizer.target * resizer.source
      let vertical = resizer.taps[piece % resizer.target]
      let (i0, i1, i2, i3) = vertical.indices
      let (w0, w1, w2, w3) = vertical.weights
      result.withRow(piece) { (out: consuming MutableSpan<Float>) in
        for (x, tap) in resizer.taps.enumerated() {
          let top = sum(plane + i0, tap) * w0 + sum(plane + i1, tap) * w1
          out[x] = top + sum(plane + i2, tap) * w2 + sum(plane + i3, tap) * w3
        }
      }
    }

    private func sum(_ row: Int, _ tap: Taps) -> Float {
      let (i0, i1, i2, i3) = tap.indices
      let (w0, w1, w2, w3) = tap.weights
      let left = planes[row, i0] * w0 + planes[row, i1] * w1
      return left + planes[row, i2] * w2 + planes[row, i3] * w3
    }
  }
}
