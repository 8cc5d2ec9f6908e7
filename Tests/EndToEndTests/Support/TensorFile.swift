// SPDX-License-Identifier: Apache-2.0
// A safetensors file taken apart, so that tests can change anything in it.

import Foundation
import SEAFormat
import Testing

/// The header and tensors of a safetensors file, unchecked.
struct TensorFile {
  struct Tensor {
    var name: String
    var type: String
    var shape: [Int]
    var bytes: [UInt8]

    /// The values of an F32, I32 or I64 tensor.
    var values: [Double] {
      func words<Word: FixedWidthInteger>(_: Word.Type) -> [Word] {
        let size = Word.bitWidth / 8
        return stride(from: 0, to: bytes.count, by: size).map { start in
          (0..<size).reduce(0) { $0 | Word(truncatingIfNeeded: bytes[start + $1]) << ($1 * 8) }
        }
      }
      return switch type {
      case "F32": words(UInt32.self).map { Double(Float(bitPattern: $0)) }
      case "I32": words(Int32.self).map { Double($0) }
      case "I64": words(Int64.self).map { Double($0) }
      default: []
      }
    }

    var ids: [Int] { values.map { Int($0) } }

    /// The tensor with the values of an F32 tensor replaced.
    static func float32(_ name: String, _ shape: [Int], _ values: [Double]) -> Tensor {
      let bytes = values.flatMap { value in
        (0..<4).map { UInt8(truncatingIfNeeded: Float(value).bitPattern >> UInt32($0 * 8)) }
      }
      return Tensor(name: name, type: "F32", shape: shape, bytes: bytes)
    }
  }

  var metadata: JSONObject
  var tensors: [Tensor]

  init(metadata: JSONObject = JSONObject(), tensors: [Tensor]) {
    self.metadata = metadata
    self.tensors = tensors
  }

  init(path: String) throws {
    let file = try contents(path)
    let length = (0..<8).reduce(0) { $0 | Int(file[$1]) << ($1 * 8) }
    let header = try #require(try JSONScanner.parse(Array(file[8..<8 + length])).object)
    metadata = header["__metadata__"]?.object ?? JSONObject()
    tensors = header.entries.filter { $0.key != "__metadata__" }.map { name, entry in
      let offsets = entry["data_offsets"]?.array?.compactMap(\.int) ?? []
      return Tensor(
        name: name,
        type: entry["dtype"]?.string ?? "",
        shape: entry["shape"]?.array?.compactMap(\.int) ?? [],
        bytes: Array(file[8 + length + offsets[0]..<8 + length + offsets[1]])
      )
    }
  }

  subscript(_ name: String) -> Tensor? {
    get { tensors.first { $0.name == name } }
    set {
      let index = tensors.firstIndex { $0.name == name }
      if let index { tensors.remove(at: index) }
      if let newValue { tensors.insert(newValue, at: index ?? tensors.count) }
    }
  }

  /// A metadata text that holds JSON.
  subscript(json key: String) -> JSONObject {
    get {
      metadata[key]?.string.flatMap { try? JSONScanner.parse(Array($0.utf8)).object }
        ?? JSONObject()
    }
    set { metadata[key] = .string(JSONValue.object(newValue).serialized()) }
  }

  /// The file, its data starting at a multiple of 64.
  var bytes: [UInt8] {
    var header = JSONObject()
    if !metadata.isEmpty { header["__metadata__"] = .object(metadata) }
    var start = 0
    for tensor in tensors {
      let offsets: JSONValue = [
        .number(JSONNumber(start)), .number(JSONNumber(start + tensor.bytes.count)),
      ]
      header[tensor.name] = [
        "dtype": .string(tensor.type),
        "shape": .array(tensor.shape.map { .number(JSONNumber($0)) }),
        "data_offsets": offsets,
      ]
      start += tensor.bytes.count
    }
    var text = Array(JSONValue.object(header).serialized().utf8)
    text += [UInt8](repeating: UInt8(ascii: " "), count: (64 - (8 + text.count) % 64) % 64)
    return (0..<8).map { UInt8(text.count >> ($0 * 8) & 255) } + text + tensors.flatMap(\.bytes)
  }
}

extension JSONObject {
  /// Changes a member that lies deeper, by its keys from the outside in.
  mutating func set(_ keys: String..., to value: JSONValue?) {
    set(keys[...], to: value)
  }

  private mutating func set(_ keys: ArraySlice<String>, to value: JSONValue?) {
    guard let first = keys.first else { return }
    guard keys.count > 1 else {
      self[first] = value
      return
    }
    var inner = self[first]?.object ?? JSONObject()
    inner.set(keys.dropFirst(), to: value)
    self[first] = .object(inner)
  }
}
