// SPDX-License-Identifier: Apache-2.0
// Two factors of a low-rank fine-tuning and what they add.

/// Factors of one module, with values that a formula gives.
struct TestFactors {
  let module: String
  let rows: Int
  let columns: Int
  let rank: Int
  /// What stands between module and factor, and behind it.
  var prefix = "base_model.model."
  var suffix = ".weight"
  var type = "F32"

  var a: ListedTensor {
    ListedTensor(name: "\(prefix)\(module).lora_A\(suffix)", type: type, shape: [rank, columns])
  }

  var b: ListedTensor {
    ListedTensor(name: "\(prefix)\(module).lora_B\(suffix)", type: type, shape: [rows, rank])
  }

  var tensors: [ListedTensor] { [a, b] }

  /// `weight + scale · B · A`, every element summed in f32 in the order of the rank.
  func merged(_ weight: [Float], scale: Float) -> [Float] {
    let a = a.values
    let b = b.values
    var result = weight
    for row in 0..<rows {
      for column in 0..<columns {
        var sum: Float = 0
        for k in 0..<rank { sum += b[row * rank + k] * a[k * columns + column] }
        result[row * columns + column] += scale * sum
      }
    }
    return result
  }

  /// `weight + scale · (B · A)ᵀ`.
  func mergedTransposed(_ weight: [Float], scale: Float) -> [Float] {
    let a = a.values
    let b = b.values
    var result = weight
    for row in 0..<columns {
      for column in 0..<rows {
        var sum: Float = 0
        for k in 0..<rank { sum += a[k * columns + row] * b[column * rank + k] }
        result[row * rows + column] += scale * sum
      }
    }
    return result
  }
}
