// SPDX-License-Identifier: Apache-2.0
// A batch written down in a file, instead of one that is drawn.

internal import SEAFormat
internal import SEAImage
package import SEALayers
package import SEAModel
internal import SEATensor
internal import SEAText

/// The rows and samples of a replay file; every step sees all of them as one micro-batch.
///
///     {"rows": [{"ids": […], "targets": […], "image": "a.png"}, …],
///      "samples": [{"row": 0, "patch": 3, "token_ids": […]}, …]}
///
/// A row's `targets` are flags, or `labels` are ids with -100 where nothing is predicted. Its picture is
/// `image`, a picture file, or `pixels`, a safetensors file with the normalised tensor: the tensor
/// `pixels`, or another one named as `FILE#TENSOR`. Files are looked for beside the replay file.
package final class Replay: StageSource {
  private let batch: StageBatch
  /// Keys at the top of the file that are no part of the replay.
  package let ignoredKeys: [String]

  private static let limit = 256 << 20

  /// Reads the file and prepares its pictures.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - model: tells vocabulary, grid and recipe.
  ///   - encode: pixels to what the model is given for a picture.
  /// - Throws: `TrainerError.badInput` naming the field that is wrong.
  package init(
    path: String,
    model: ModelDescription,
    encode: ([Float]) throws -> TrainingPicture
  ) throws {
    let bytes = try FileText.read(path)
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONScanner.parse(bytes, limits: JSONLimits(depth: 8, bytes: Self.limit))
    } catch {
      throw TrainerError.badInput(path: path, problem: "\(error)")
    }
    let reader = ReplayReader(path: path, model: model)
    var batch = StageBatch()
    for (index, row) in try reader.array(json, "rows").enumerated() {
      batch.samples.append(try reader.row(row, index, encode))
      batch.names.append("row \(index)")
    }
    for (index, sample) in (try reader.optionalArray(json, "samples")).enumerated() {
      batch.pairs.append(try reader.pair(sample, index, rows: batch.samples.count))
    }
    self.batch = batch
    ignoredKeys = (json.object?.keys ?? []).filter { $0 != "rows" && $0 != "samples" }
  }

  /// Pairs of the file.
  package var pairs: Int { batch.pairs.count }

  package func batches(step: Int) -> [StageBatch] { [batch] }
}

/// Reads fields and says which one is wrong.
private struct ReplayReader {
  let path: String
  let model: ModelDescription

  func fail(_ field: String, _ problem: String) -> TrainerError {
    .badInput(path: path, problem: "\(field): \(problem)")
  }

  func array(_ json: JSONValue, _ key: String) throws(TrainerError) -> [JSONValue] {
    guard let values = json[key]?.array, !values.isEmpty else {
      throw fail(key, "expected an array that is not empty")
    }
    return values
  }

  func optionalArray(_ json: JSONValue, _ key: String) throws(TrainerError) -> [JSONValue] {
    guard let value = json[key] else { return [] }
    guard let values = value.array else { throw fail(key, "is \(value.kind), expected an array") }
    return values
  }

  private func ids(_ value: JSONValue?, _ field: String) throws(TrainerError) -> [Int32] {
    guard let values = value?.array else { throw fail(field, "expected an array of token ids") }
    let vocab = model.language?.vocab ?? 0
    var ids: [Int32] = []
    for value in values {
      guard let id = value.int, id == Int(Prompt.imageID) || (0..<vocab).contains(id) else {
        throw fail(field, "expected ids below \(vocab), or \(Prompt.imageID) for a picture")
      }
      ids.append(Int32(id))
    }
    return ids
  }

  func row(
    _ json: JSONValue,
    _ index: Int,
    _ encode: ([Float]) throws -> TrainingPicture
  ) throws -> TrainingSample {
    let field = "rows[\(index)]"
    let ids = try ids(json["ids"], "\(field).ids")
    guard !ids.isEmpty else { throw fail("\(field).ids", "no id") }
    let targets = try targets(json, field, count: ids.count)
    let pixels = try pixels(json, field)
    let places = ids.count { $0 == Prompt.imageID }
    guard places == (pixels == nil ? 0 : 1) else {
      throw fail(field, "\(places) ids of a picture and \(pixels == nil ? "no" : "one") picture")
    }
    return TrainingSample(
      ids: ids,
      isTarget: zip(ids, targets).enumerated().map { position, pair in
        // Nothing stands before the first position, and no picture is predicted.
        position > 0 && pair.0 != Prompt.imageID && pair.1
      },
      pictures: try pixels.map { [try encode($0)] } ?? []
    )
  }

  private func targets(
    _ json: JSONValue,
    _ field: String,
    count: Int
  ) throws(TrainerError) -> [Bool] {
    let key = json["targets"] == nil ? "labels" : "targets"
    guard let values = json[key]?.array, values.count == count else {
      throw fail("\(field).\(key)", "expected an array of \(count), one for each id")
    }
    if values.allSatisfy({ $0.bool != nil }) { return values.map { $0.bool ?? false } }
    let numbers = values.compactMap(\.int)
    guard numbers.count == count else {
      throw fail("\(field).\(key)", "expected flags, or ids with -100 where nothing is predicted")
    }
    // Ids with -100 as the library writes them; zeros and ones alone are flags.
    let areFlags = key == "targets" && numbers.allSatisfy { $0 == 0 || $0 == 1 }
    return numbers.map { areFlags ? $0 == 1 : $0 >= 0 }
  }

  private func pixels(_ json: JSONValue, _ field: String) throws -> [Float]? {
    if let image = json["image"], image != .null {
      guard let name = image.string else { throw fail("\(field).image", "expected a file's name") }
      guard let recipe = model.recipe else { throw fail("\(field).image", "no image recipe") }
      return try recipe.run(try ImageFile.read(path: place(name))).values
    }
    guard let value = json["pixels"], value != .null else { return nil }
    guard let encoder = model.encoder else { throw fail("\(field).pixels", "no encoder") }
    let side = encoder.inputSide
    if let name = value.string {
      let parts = name.split(separator: "#", maxSplits: 1).map(String.init)
      let file = try SafetensorsFile(path: place(parts.first ?? ""))
      let tensor = try file.tensor(parts.count > 1 ? parts[1] : "pixels")
      let shape = tensor.shape.first == 1 ? Array(tensor.shape.dropFirst()) : tensor.shape
      guard tensor.type == .float32, shape == [3, side, side] else {
        throw fail(
          "\(field).pixels",
          "\(tensor.type.rawValue) \(tensor.shape), expected F32 [3, \(side), \(side)]"
        )
      }
      let bytes = file.bytes(of: tensor)
      return (0..<3 * side * side).map {
        Float(bitPattern: bytes.loadLittleEndian(at: $0 * 4, as: UInt32.self))
      }
    }
    var values: [Float] = []
    guard append(value, to: &values), values.count == 3 * side * side else {
      throw fail("\(field).pixels", "expected a file's name or numbers of 3×\(side)×\(side)")
    }
    return values
  }

  /// Appends the numbers of nested arrays; false when something else is among them.
  private func append(_ value: JSONValue, to values: inout [Float]) -> Bool {
    if let elements = value.array {
      for element in elements where !append(element, to: &values) { return false }
      return true
    }
    guard let number = value.double else { return false }
    values.append(Float(number))
    return true
  }

  /// A file beside the replay file unless its path is absolute.
  private func place(_ name: String) -> String {
    guard !name.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return name }
    return "\(path[..<slash])/\(name)"
  }

  func pair(_ json: JSONValue, _ index: Int, rows: Int) throws(TrainerError) -> StagePair {
    let field = "samples[\(index)]"
    guard let row = json["row"]?.int, (0..<rows).contains(row) else {
      throw fail("\(field).row", "expected a row below \(rows)")
    }
    let patches = model.encoder?.features ?? 0
    guard let patch = json["patch"]?.int, (0..<patches).contains(patch) else {
      throw fail("\(field).patch", "expected a patch below \(patches)")
    }
    let key = json["token_ids"] == nil ? "tokens" : "token_ids"
    let tokens = try ids(json[key], "\(field).token_ids")
    guard !tokens.isEmpty, !tokens.contains(Prompt.imageID) else {
      throw fail("\(field).token_ids", "expected at least one token id")
    }
    return StagePair(row: row, patch: patch, tokens: tokens)
  }
}
