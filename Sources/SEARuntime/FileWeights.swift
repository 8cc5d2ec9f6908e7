// SPDX-License-Identifier: Apache-2.0
// A model file's tensors, checked against the plan and bound in place.

import SEAFormat
import SEAModel
import SEATensor
import SEAText

/// Where the weights of a mapped file are used from.
package enum WeightPlacement: String, Sendable, CaseIterable {
  /// In place, in the page cache.
  case mapped
  /// In a copy of this process's own, in huge pages where the system has them.
  case copied
}

/// The tensors of a model file.
struct FileWeights: WeightProvider {
  private let file: ModelFile
  private let copy: AlignedBuffer?
  private var specs: [String: TensorSpec] = [:]

  /// Checks every tensor of the file against the plan.
  ///
  /// - Throws: `RuntimeError.model` naming the first tensor that is missing, unknown, or of another
  ///   type, shape or place.
  init(
    _ file: ModelFile,
    plan: TensorPlan,
    placement: WeightPlacement
  ) throws(RuntimeError) {
    self.file = file
    for spec in plan.all {
      try Self.check(spec, in: file)
      specs[spec.name] = spec
    }
    for name in file.tensorNames where specs[name] == nil {
      guard TokenizerTables.Name.all.contains(name) else {
        throw .model(path: file.path, .unexpectedTensor(name: name))
      }
    }
    try Self.checkOrder(plan, in: file)
    copy = placement == .copied ? try Self.copy(file) : nil
  }

  private static func check(_ spec: TensorSpec, in file: ModelFile) throws(RuntimeError) {
    guard let info = file.info(spec.name) else {
      throw .model(path: file.path, .missingTensor(name: spec.name))
    }
    guard info.type == spec.elementType else {
      throw .model(
        path: file.path,
        .mismatch(
          tensor: spec.name,
          what: "the element type",
          expected: spec.elementType.safetensorsName,
          found: info.type.safetensorsName
        )
      )
    }
    guard info.shape == spec.storedShape else {
      throw .model(
        path: file.path,
        .mismatch(
          tensor: spec.name,
          what: "the shape",
          expected: "\(spec.storedShape)",
          found: "\(info.shape)"
        )
      )
    }
  }

  /// Matrices, the tokenizer's tables, vectors: each as the plan has them.
  private static func checkOrder(_ plan: TensorPlan, in file: ModelFile) throws(RuntimeError) {
    let tables = TokenizerTables.Name.all.filter { file.info($0) != nil }
    let names = plan.matrices.map(\.name) + tables + plan.vectors.map(\.name)
    for (place, (name, found)) in zip(names, file.tensorNames).enumerated() where name != found {
      throw .model(
        path: file.path,
        .mismatch(
          tensor: name,
          what: "the place in the file",
          expected: "number \(place + 1)",
          found: "behind '\(found)'"
        )
      )
    }
  }

  private static func copy(_ file: ModelFile) throws(RuntimeError) -> AlignedBuffer {
    let bytes = file.mapping.bytes
    do throws(FileError) {
      let buffer = try AlignedBuffer(byteCount: bytes.count)
      buffer.fill(from: bytes) { file.mapping.release($0) }
      return buffer
    } catch {
      throw .file(error)
    }
  }

  private func bytes(
    _ name: String,
    rows: Int,
    columns: Int
  ) throws(RuntimeError) -> (TensorSpec, ByteView) {
    guard let spec = specs[name], let info = file.info(name) else {
      throw .model(path: file.path, .missingTensor(name: name))
    }
    precondition(
      spec.rows == rows && spec.columns == columns,
      "'\(name)' is planned as \(spec.rows)×\(spec.columns), not \(rows)×\(columns)"
    )
    return (spec, (copy?.bytes ?? file.mapping.bytes).slice(info.range))
  }

  func matrix(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> LinearWeight {
    let (spec, bytes) = try bytes(name, rows: rows, columns: columns)
    do throws(WeightError) {
      if let format = spec.format {
        return .packed(try PackedMatrix(bytes, rows: rows, columns: columns, format: format))
      }
      let storage: PlainMatrix.Storage = spec.storage == .bfloat16 ? .bfloat16 : .float32
      return .plain(try PlainMatrix(bytes, rows: rows, columns: columns, storage: storage))
    } catch {
      throw .weights(tensor: name, reason: "\(error)")
    }
  }

  func vector(_ name: String, rows: Int, columns: Int) throws(RuntimeError) -> FloatVector {
    let (_, bytes) = try bytes(name, rows: rows, columns: columns)
    do throws(WeightError) {
      return try FloatVector(bytes, count: rows * columns)
    } catch {
      throw .weights(tensor: name, reason: "\(error)")
    }
  }

  func pages(under prefix: String) -> PageSpan? {
    guard copy == nil else { return nil }
    var range: Range<Int>?
    for info in file.tensors where specs[info.name]?.isVector == false {
      guard info.name.hasPrefix(prefix) else { continue }
      range = (range?.lowerBound ?? info.range.lowerBound)..<info.range.upperBound
    }
    return range.map { PageSpan(mapping: file.mapping, range: $0) }
  }
}
