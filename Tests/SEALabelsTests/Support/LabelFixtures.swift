// SPDX-License-Identifier: Apache-2.0
// Reference tensors, folders of one test, pictures, and the tiny encoders.

import Foundation
import SEACheckpoint
import SEAFormat
import SEALabels
import SEAModel
import SEARuntime
import SEATensor
import TestSupport

/// Checkpoints that the runtime's tests bring.
enum Encoders {
  static let clip = Fixtures.path("SEARuntimeTests", "clip-tiny")
  static let siglip = Fixtures.path("SEARuntimeTests", "siglip-tiny")

  /// A checkpoint with both towers.
  static func source(_ path: String) throws -> SourceModel {
    var options = SourceOptions()
    options.takesTextTower = true
    return try SourceModel(path: path, options: options)
  }

  /// The words of `clip-tiny`, in order.
  static func words() throws -> WordList {
    let data = try Data(contentsOf: URL(fileURLWithPath: clip + "/words.json"))
    var pool = TextPool()
    for word in try JSONScanner.parse([UInt8](data)).array ?? [] {
      pool.insert((word.string ?? "").utf8)
    }
    return WordList(pool)
  }

  /// `clip-tiny` with exact weights.
  static func open(_ cache: LabelCache, on execution: Execution) throws -> LabelEncoder {
    try LabelEncoder(path: clip, recipe: nil, weights: .float32, cache: cache, on: execution)
  }
}

/// The values of every f32 or i32 tensor of a file.
func values(_ path: String) throws -> [String: [Double]] {
  let file = try SafetensorsFile(path: path)
  var result: [String: [Double]] = [:]
  for tensor in file.tensors {
    let bytes = file.bytes(of: tensor)
    result[tensor.name] = (0..<tensor.elementCount).map { index in
      let bits = bytes.loadLittleEndian(at: 4 * index, as: UInt32.self)
      return tensor.type == .float32
        ? Double(Float(bitPattern: bits)) : Double(Int32(bitPattern: bits))
    }
  }
  return result
}

/// Picture 0 of a tiny encoder, as the encoder takes it.
func pixels(_ encoder: String) throws -> [Float] {
  let all = try values(encoder + "/reference.safetensors")["pixel_values"] ?? []
  return all.prefix(all.count / 2).map { Float($0) }
}

/// An execution on a few threads.
func execution(_ threads: Int = 2, _ isa: InstructionSet? = nil) throws -> Execution {
  Execution(kernels: try Kernels(isa ?? .best), threads: threads)
}

/// A temporary folder that goes with its owner.
final class Folder: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "sea-labels-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  static func / (folder: Folder, name: String) -> String { "\(folder.path)/\(name)" }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: self / name))
    return self / name
  }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try write(name, Array(text.utf8))
  }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self / name) }
}

/// The bytes of a file.
func contents(_ path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Rows of length 1 from a seed; every third row after the first ten repeats an earlier one.
func directions(
  _ rows: Int,
  _ columns: Int,
  seed: UInt64,
  common: Float = 0,
  repeats: Bool = false
) throws -> MatrixView<Float> {
  var random = SeededRandom(seed: seed)
  var axis = SeededRandom(seed: 1)
  let shared = axis.floats(columns)
  var all: [[Float]] = []
  for row in 0..<rows {
    if repeats, row > 10, row % 3 == 0 {
      all.append(all[row / 2])
      continue
    }
    var values = zip(random.floats(columns), shared).map { $0 + common * $1 }
    let length = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    for index in values.indices { values[index] = Float(Double(values[index]) / length) }
    all.append(values)
  }
  return try MatrixView(all.flatMap { $0 }, columns: columns)
}
