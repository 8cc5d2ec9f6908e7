// SPDX-License-Identifier: Apache-2.0
// One tensor's step, shared out in runs of rows: moments in f32 or as codes, weights in f32 or bf16.

internal import SEADataset
internal import SEATensor

/// The numbers that one step has in common for all values of a tensor.
struct AdamWFactors {
  let clip: Float
  let keep: Float
  let mix1: Float
  let beta2: Float
  let mix2: Float
  let stepSize: Float
  let root: Float
  let epsilon: Float

  /// One value's step.
  @inline(__always)
  func advance(_ value: Float, _ slope: Float, _ mean: inout Float, _ square: inout Float) -> Float
  {
    let slope = slope * clip
    mean += mix1 * (slope - mean)
    square = beta2 * square + mix2 * (slope * slope)
    return value * keep - stepSize * (mean / (square.squareRoot() / root + epsilon))
  }
}

/// A type that trained weights are stored in.
private protocol StoredWeight: BitwiseCopyable {
  /// Chance has a part in its rounding.
  static var isRounded: Bool { get }
  var widened: Float { get }
  init(rounding value: Float, noise: UInt16)
}

extension Float: StoredWeight {
  fileprivate static var isRounded: Bool { false }
  fileprivate var widened: Float { self }
  fileprivate init(rounding value: Float, noise: UInt16) { self = value }
}

/// bf16 keeps 8 bits: rounding to nearest would lose every step below 1/512 of the value, so the lost
/// bits decide by chance which neighbour it becomes, and the mean comes out right.
extension UInt16: StoredWeight {
  fileprivate static var isRounded: Bool { true }
  fileprivate var widened: Float { Float(bitPattern: UInt32(self) << 16) }
  fileprivate init(rounding value: Float, noise: UInt16) {
    let bits = value.isFinite ? value.bitPattern &+ UInt32(noise) : value.bitPattern
    self = UInt16(truncatingIfNeeded: bits >> 16)
  }
}

/// One tensor's step; a piece is a run of rows.
struct AdamWWork: ParallelWork {
  let parameter: StoredParameter
  let gradient: MatrixView<Float>
  let factors: AdamWFactors
  let seed: UInt64
  let step: Int
  let tensor: Int
  let pieces: Int

  func run(piece: Int, worker: Int) {
    let rows = gradient.rows * piece / pieces..<gradient.rows * (piece + 1) / pieces
    switch parameter.tensor.trainedValues {
    case .float32(let values): advance(rows, values)
    case .bfloat16(let values): advance(rows, values)
    }
  }

  private func advance<Weight: StoredWeight>(_ rows: Range<Int>, _ values: MatrixView<Weight>) {
    switch parameter.moments {
    case .float32(let mean, let square):
      for row in rows { advance(row, values, mean, square) }
    case .codes(let mean, let square):
      var room = CodedBlock()
      for row in rows { advance(row, values, mean, square, &room) }
    }
  }

  private func advance<Weight: StoredWeight>(
    _ row: Int,
    _ values: MatrixView<Weight>,
    _ mean: MatrixView<Float>,
    _ square: MatrixView<Float>
  ) {
    var random = CounterRandom(seed: seed, .rounding, step, tensor, row)
    values.withRow(row) { values in
      var values = values
      gradient.withRow(row) { slopes in
        mean.withRow(row) { means in
          var means = means
          square.withRow(row) { squares in
            var squares = squares
            for index in 0..<values.count {
              let next = factors.advance(
                values[index].widened,
                slopes[index],
                &means[index],
                &squares[index]
              )
              let noise = Weight.isRounded ? random.next() : 0
              values[index] = Weight(rounding: next, noise: UInt16(truncatingIfNeeded: noise))
            }
          }
        }
      }
    }
  }

  /// The same with moments that are read from codes and become codes again; the step itself takes
  /// what they were before rounding.
  private func advance<Weight: StoredWeight>(
    _ row: Int,
    _ values: MatrixView<Weight>,
    _ mean: CodedMoment,
    _ square: CodedMoment,
    _ room: inout CodedBlock
  ) {
    var random = CounterRandom(seed: seed, .rounding, step, tensor, row)
    values.withRow(row) { values in
      var values = values
      gradient.withRow(row) { slopes in
        mean.codes.withRow(row) { means in
          var means = means
          square.codes.withRow(row) { squares in
            var squares = squares
            for block in 0..<mean.scales.columns {
              let start = block * CodedMoment.block
              let count = min(CodedMoment.block, values.count - start)
              room.meanScale = mean.scales[row, block]
              room.squareScale = square.scales[row, block]
              for index in 0..<count {
                room.read(index, means[start + index], squares[start + index])
              }
              for index in 0..<count {
                let next = factors.advance(
                  values[start + index].widened,
                  slopes[start + index],
                  &room.means[index],
                  &room.squares[index]
                )
                room.noise[index] = random.next()
                values[start + index] = Weight(
                  rounding: next,
                  noise: UInt16(truncatingIfNeeded: room.noise[index])
                )
              }
              room.findScales(count)
              for index in 0..<count {
                (means[start + index], squares[start + index]) = room.codes(index)
              }
              mean.scales[row, block] = room.meanScale
              square.scales[row, block] = room.squareScale
            }
          }
        }
      }
    }
  }
}

/// Room for the moments of one block.
private struct CodedBlock {
  var means = [Float](repeating: 0, count: CodedMoment.block)
  var squares = [Float](repeating: 0, count: CodedMoment.block)
  /// Of each value: 16 bits for the weight, 16 for each moment.
  var noise = [UInt64](repeating: 0, count: CodedMoment.block)
  var meanScale: Float = 0
  var squareScale: Float = 0
  private let signed = ByteCode.signed
  private let positive = ByteCode.squares

  @inline(__always)
  mutating func read(_ index: Int, _ mean: UInt8, _ square: UInt8) {
    let size = signed.levels[Int(mean & 0x7f)] * meanScale
    means[index] = mean & 0x80 == 0 ? size : -size
    squares[index] = positive.levels[Int(square)] * squareScale
  }

  /// The largest moments become 1.
  @inline(__always)
  mutating func findScales(_ count: Int) {
    var (mean, square) = (Float(0), Float(0))
    for index in 0..<count {
      mean = max(mean, abs(means[index]))
      square = max(square, squares[index])
    }
    (meanScale, squareScale) = (mean, square)
  }

  /// A square that is not zero never becomes zero: a step divides by its root.
  @inline(__always)
  func codes(_ index: Int) -> (mean: UInt8, square: UInt8) {
    let (mean, square) = (means[index], squares[index])
    var codes = (mean: UInt8(0), square: UInt8(0))
    if mean != 0 {
      let noise = UInt16(truncatingIfNeeded: noise[index] >> 16)
      let code = UInt8(truncatingIfNeeded: signed.code(of: abs(mean) / meanScale, noise: noise))
      codes.mean = mean < 0 ? code | 0x80 : code
    }
    if square != 0 {
      let noise = UInt16(truncatingIfNeeded: noise[index] >> 32)
      let code = positive.code(of: square / squareScale, noise: noise)
      codes.square = UInt8(truncatingIfNeeded: max(code, 1))
    }
    return codes
  }
}
