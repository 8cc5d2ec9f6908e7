// SPDX-License-Identifier: Apache-2.0
// Writes checkpoints from the lists in Fixtures/checkpoints, with values that a formula gives.

import Foundation
import SEATensor
import Testing

/// A tensor of a generated weights file.
struct ListedTensor {
  var name: String
  var type: String
  var shape: [Int]
  /// The name that the values follow from, kept when the tensor is renamed.
  let origin: String
  /// Values in place of the formula's.
  var given: [Float]?

  init(name: String, type: String, shape: [Int], given: [Float]? = nil) {
    self.name = name
    self.type = type
    self.shape = shape
    self.given = given
    origin = name
  }

  var count: Int { shape.reduce(1, *) }

  /// Elements of the tensor `name`: exact in every floating type that checkpoints use.
  static func values(_ name: String, _ range: Range<Int>) -> [Float] {
    let seed = name.utf8.reduce(0) { ($0 * 31 + Int($1)) % 9973 }
    return range.map { Float(($0 * 7 + seed) % 61 - 30) / 32 }
  }

  /// All values, row-major.
  var values: [Float] { given ?? Self.values(origin, 0..<count) }

  /// The values as they are stored.
  var bytes: [UInt8] {
    switch type {
    case "F32": stored(values)
    case "F16": stored(values.map { Float16($0).bitPattern })
    case "BF16": stored(values.map { UInt16($0.bitPattern >> 16) })
    default: (0..<count).flatMap { littleEndian(Int64($0)) }
    }
  }
}

/// A folder of generated checkpoints that tests may damage.
final class TestCheckpoint {
  let folder: TemporaryFolder
  /// The folder as a path.
  var path: String { folder.path }

  private static let fixtures = Bundle.module.bundlePath + "/Fixtures/checkpoints/"

  /// Writes the checkpoints listed below `Fixtures/checkpoints/<name>`.
  ///
  /// - Parameters:
  ///   - name: a folder, whose structure is kept.
  ///   - edit: changes the tensors of a weights file, given by its path below the folder.
  /// - Throws: when a file cannot be read or written.
  init(_ name: String, edit: (String, inout [ListedTensor]) -> Void = { _, _ in }) throws {
    folder = try TemporaryFolder()
    let root = Self.fixtures + name
    let files = try FileManager.default.subpathsOfDirectory(atPath: root)
    for file in files.sorted() {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: root + "/" + file, isDirectory: &isFolder)
      guard !isFolder.boolValue else { continue }
      let data = try Data(contentsOf: URL(fileURLWithPath: root + "/" + file))
      guard file.hasSuffix("weights.json") else {
        try folder.write(file, [UInt8](data))
        continue
      }
      let lists = try #require(try JSONSerialization.jsonObject(with: data) as? [String: [[Any]]])
      for (weights, list) in lists {
        var tensors = list.map {
          ListedTensor(
            name: $0[0] as? String ?? "",
            type: $0[1] as? String ?? "",
            shape: ($0[2] as? [Any] ?? []).compactMap { ($0 as? NSNumber)?.intValue }
          )
        }
        let place = String(file.dropLast("weights.json".count)) + weights
        edit(place, &tensors)
        try folder.write(place, Self.bytes(tensors, isTorch: weights.hasSuffix(".bin")))
      }
    }
  }

  /// Replaces a key of a JSON file by a value given as JSON text; nil removes it.
  func set(_ key: String, to text: String?, in file: String = "config.json") throws {
    let url = URL(fileURLWithPath: path + "/" + file)
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: url))
    var object = try #require(json as? [String: Any])
    object[key] = nil
    var result = String(
      decoding: try JSONSerialization.data(withJSONObject: object),
      as: UTF8.self
    )
    if let text {
      let separator = object.isEmpty ? "" : ","
      result = result.dropLast() + "\(separator)\"\(key)\":\(text)}"
    }
    try folder.write(file, result)
  }

  /// The bytes of a file of the folder.
  func read(_ file: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/" + file)))
  }

  /// A weights file with the given tensors.
  static func bytes(_ tensors: [ListedTensor], isTorch: Bool = false) -> [UInt8] {
    isTorch ? torch(tensors) : safetensors(tensors)
  }

  private static func safetensors(_ tensors: [ListedTensor]) -> [UInt8] {
    var entries: [String] = []
    var data: [UInt8] = []
    for tensor in tensors {
      let start = data.count
      data += tensor.bytes
      entries.append(
        "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),"
          + "\"data_offsets\":[\(start),\(data.count)]}"
      )
    }
    let header = Array("{\(entries.joined(separator: ","))}".utf8)
    return littleEndian(UInt64(header.count)) + header + data
  }

  private static func torch(_ tensors: [ListedTensor]) -> [UInt8] {
    let storages = ["F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage"]
    let described = tensors.enumerated().map { index, tensor in
      var strides = [Int](repeating: 1, count: tensor.shape.count)
      for axis in strides.indices.dropLast().reversed() {
        strides[axis] = strides[axis + 1] * tensor.shape[axis + 1]
      }
      return TestTensor(
        name: tensor.name,
        key: "\(index)",
        storageType: storages[tensor.type] ?? "LongStorage",
        storageCount: tensor.count,
        shape: tensor.shape,
        strides: strides
      )
    }
    return ZipWriter.torch(
      PickleWriter.stateDictionary(described),
      storages: tensors.enumerated().map { (key: "\($0)", bytes: $1.bytes) }
    )
  }
}
