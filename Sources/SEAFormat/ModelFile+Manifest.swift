// SPDX-License-Identifier: Apache-2.0
// The rules for the metadata of a model file: version, manifest, padded tensors.

import SEATensor

extension ModelFile {
  static func checkVersion(_ file: SafetensorsFile) throws(FormatError) {
    guard let format = file.metadata(ModelManifest.Key.format) else {
      throw .notAModel(
        path: file.path,
        reason: "a safetensors file without metadata 'format'; convert the checkpoint first"
      )
    }
    guard format == ModelManifest.format else {
      throw .notAModel(
        path: file.path,
        reason: "a safetensors file of format '\(format.printable())', expected "
          + "'\(ModelManifest.format)'; convert the checkpoint first"
      )
    }
    let key = ModelManifest.Key.version
    guard let text = file.metadata(key) else {
      throw .metadata(path: file.path, key: key, rule: "is missing")
    }
    if text == String(formatVersion) { return }
    guard let version = Int(text), version > formatVersion else {
      throw .metadata(
        path: file.path,
        key: key,
        rule: "'\(text.printable())' is no version this tool knows, expected \(formatVersion)"
      )
    }
    throw .newerVersion(
      path: file.path,
      madeBy: file.metadata(ModelManifest.Key.madeBy) ?? "an unknown tool",
      version: String(version),
    )
  }

  /// The object that the metadata hold as JSON text under `key`.
  static func object(
    _ key: String,
    in file: SafetensorsFile,
  ) throws(FormatError) -> JSONValue {
    guard let text = file.metadata(key) else {
      throw .metadata(path: file.path, key: key, rule: "is missing")
    }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONScanner.parse(Array(text.utf8))
    } catch {
      throw .json(path: file.path, part: "metadata '\(key)'", error: error)
    }
    guard case .object = value else {
      throw .metadata(path: file.path, key: key, rule: "expected an object, found \(value.kind)")
    }
    return value
  }

  // MARK: - Padding

  /// Checks alignment and gives padded tensors their logical shapes back.
  static func logicalTensors(
    _ file: SafetensorsFile
  ) throws(FormatError) -> [SafetensorsInfo] {
    let key = ModelManifest.Key.shapes
    let shapes = try object(key, in: file).object ?? JSONObject()
    for entry in shapes.entries where file.info(entry.key) == nil {
      throw .metadata(
        path: file.path,
        key: key,
        rule: "names tensor '\(entry.key.printable())', which is missing"
      )
    }
    var result: [SafetensorsInfo] = []
    result.reserveCapacity(file.tensors.count)
    for tensor in file.tensors {
      guard tensor.range.lowerBound % SafetensorsLayout.alignment == 0 else {
        throw .tensor(
          path: file.path,
          name: tensor.name,
          rule: "starts at byte \(tensor.range.lowerBound), which is no multiple of "
            + "\(SafetensorsLayout.alignment)"
        )
      }
      guard let shape = shapes[tensor.name] else {
        result.append(tensor)
        continue
      }
      result.append(try unpadded(tensor, shape, path: file.path))
    }
    return result
  }

  private static func unpadded(
    _ tensor: SafetensorsInfo,
    _ shape: JSONValue,
    path: String,
  ) throws(FormatError) -> SafetensorsInfo {
    guard let numbers = shape.array, numbers.count <= SafetensorsLimits.rank else {
      throw .tensor(
        path: path,
        name: tensor.name,
        rule: "its padded shape is no list of at most \(SafetensorsLimits.rank) numbers"
      )
    }
    var dimensions: [Int] = []
    for number in numbers {
      guard let dimension = number.int, dimension >= 0 else {
        throw .tensor(
          path: path,
          name: tensor.name,
          rule: "its padded shape holds more than whole numbers"
        )
      }
      dimensions.append(dimension)
    }
    let start = tensor.range.lowerBound
    guard let bytes = SafetensorsInfo.byteCount(tensor.type, dimensions),
      bytes <= tensor.byteCount, tensor.byteCount - bytes < SafetensorsLayout.alignment
    else {
      throw .tensor(
        path: path,
        name: tensor.name,
        rule: "its \(tensor.byteCount) bytes are not those of shape \(dimensions) padded to "
          + "\(SafetensorsLayout.alignment)"
      )
    }
    return SafetensorsInfo(
      name: tensor.name,
      type: tensor.type,
      shape: dimensions,
      range: start..<start + bytes
    )
  }
}
