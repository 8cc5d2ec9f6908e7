// SPDX-License-Identifier: Apache-2.0
// Reads reference tensors and compares with them.

import Foundation
import SEAFormat
import SEATensor
import Testing

/// A tensor of a fixture, widened to f32.
struct ReferenceTensor {
  let shape: [Int]
  let values: [Float]

  /// The tensor as rows of its last dimension.
  var rows: [[Float]] {
    let width = shape.last ?? 1
    return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
  }

  /// Entry `index` of the first dimension.
  func part(_ index: Int) -> ReferenceTensor {
    let count = values.count / shape[0]
    return ReferenceTensor(
      shape: Array(shape.dropFirst()),
      values: Array(values[index * count..<(index + 1) * count])
    )
  }

  var ids: [Int32] { values.map { Int32($0) } }
}

/// The folder of a fixture that travels with the tests, or, with a slash in its name, of a shared one.
func fixture(_ name: String) throws -> String {
  if name.contains("/") { return try #require(SharedFixtures.path) + "/" + name }
  let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
  return folder.appendingPathComponent(name).path
}

/// Larger fixtures that lie beside the repository; tests that need them skip without them.
enum SharedFixtures {
  /// The folder, from the variable SEA_SHARED or `../shared` beside the repository; nil if absent.
  static let path: String? = {
    let environment = ProcessInfo.processInfo.environment["SEA_SHARED"]
    let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let beside = repository.deletingLastPathComponent().appendingPathComponent("shared").path
    let path = (environment ?? beside) + "/fixtures"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  /// True when the folder is there.
  static var isPresent: Bool { path != nil }
}

/// Every tensor of a safetensors file as f32; integers must be exact in f32.
func tensors(_ path: String) throws -> [String: ReferenceTensor] {
  let file = try SafetensorsFile(path: path)
  let kernels = try Kernels(.scalar)
  var result: [String: ReferenceTensor] = [:]
  for info in file.tensors {
    let bytes = file.bytes(of: info)
    let count = bytes.count / info.type.size
    var values = [Float](repeating: 0, count: count)
    switch info.type {
    case .float32:
      for i in 0..<count {
        values[i] = Float(bitPattern: bytes.loadLittleEndian(at: i * 4, as: UInt32.self))
      }
    case .bfloat16, .float16:
      let row = try MatrixView<Float>(rows: 1, columns: count)
      kernels.widen(bytes, type: info.type, into: row)
      values = row.array()
    case .int8:
      for i in 0..<count { values[i] = Float(bytes.loadLittleEndian(at: i, as: Int8.self)) }
    case .int32:
      for i in 0..<count { values[i] = Float(bytes.loadLittleEndian(at: i * 4, as: Int32.self)) }
    case .int64:
      for i in 0..<count { values[i] = Float(bytes.loadLittleEndian(at: i * 8, as: Int64.self)) }
    default: Issue.record("no widening for \(info.type)")
    }
    result[info.name] = ReferenceTensor(shape: info.shape, values: values)
  }
  return result
}

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { abs($0 - $1) }.max() ?? 0
}

func cosine(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return -1 }
  var product = 0.0
  var first = 0.0
  var second = 0.0
  for (x, y) in zip(a, b) {
    product += Double(x) * Double(y)
    first += Double(x) * Double(x)
    second += Double(y) * Double(y)
  }
  return product / ((first * second).squareRoot() + 1e-30)
}

/// The smallest cosine of corresponding rows.
func smallestCosine(_ a: [Float], _ b: [Float], width: Int) -> Double {
  guard a.count == b.count else { return -1 }
  return stride(from: 0, to: a.count, by: width).map {
    cosine(Array(a[$0..<$0 + width]), Array(b[$0..<$0 + width]))
  }.min() ?? -1
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
