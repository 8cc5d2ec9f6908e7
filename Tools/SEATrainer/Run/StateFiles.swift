// SPDX-License-Identifier: Apache-2.0
// Trained tensors and their moments as safetensors files.

internal import SEAFormat
internal import SEATensor

/// The parts of a checkpoint.
enum StateFiles {
  static let weights = "weights.safetensors"
  static let moments = "optimizer.safetensors"
  static let all = [weights, moments]

  private static let mean = "exp_avg."
  private static let square = "exp_avg_sq."

  // MARK: - Writing

  /// Writes the values of every tensor.
  static func writeWeights(_ store: ParameterStore, to path: String) throws(TrainerError) {
    try write(
      store.parameters.map { parameter in
        let tensor = parameter.tensor
        return switch tensor.trainedValues {
        case .float32(let values): Part(tensor.name, tensor.shape, .float32(values))
        case .bfloat16(let values): Part(tensor.name, tensor.shape, .bfloat16(values))
        }
      },
      to: path
    )
  }

  /// Writes the moments of every tensor.
  static func writeMoments(_ store: ParameterStore, to path: String) throws(TrainerError) {
    try write(
      store.parameters.flatMap { parameter in
        let (name, shape) = (parameter.tensor.name, parameter.tensor.shape)
        return [
          Part(mean + name, shape, .float32(parameter.mean)),
          Part(square + name, shape, .float32(parameter.square)),
        ]
      },
      to: path
    )
  }

  private struct Part {
    let name: String
    let shape: [Int]
    let values: TrainedValues

    init(_ name: String, _ shape: [Int], _ values: TrainedValues) {
      self.name = name
      self.shape = shape
      self.values = values
    }

    var type: ElementType { if case .float32 = values { .float32 } else { .bfloat16 } }
  }

  private static func write(_ parts: [Part], to path: String) throws(TrainerError) {
    do throws(FormatError) {
      var writer = try SafetensorsWriter(
        path: path,
        tensors: parts.map { SafetensorsTensor($0.name, $0.type, $0.shape) }
      )
      for part in parts {
        switch part.values {
        case .float32(let values):
          for row in 0..<values.rows {
            try writer.write(values.rows(row..<row + 1).array(), to: part.name)
          }
        case .bfloat16(let values):
          for row in 0..<values.rows {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(values.columns * 2)
            for bits in values.rows(row..<row + 1).array() {
              bytes.append(UInt8(truncatingIfNeeded: bits))
              bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
            }
            try writer.write(bytes, to: part.name)
          }
        }
      }
      try writer.finish()
    } catch {
      throw .format(error)
    }
  }

  // MARK: - Reading

  /// Fills the values of every tensor.
  static func readWeights(_ store: ParameterStore, from path: String) throws(TrainerError) {
    let file = try open(path, tensors: store.parameters.count)
    for parameter in store.parameters {
      let tensor = parameter.tensor
      try read(tensor.name, tensor.shape, tensor.trainedValues, from: file)
    }
  }

  /// Fills the moments of every tensor.
  static func readMoments(_ store: ParameterStore, from path: String) throws(TrainerError) {
    let file = try open(path, tensors: store.parameters.count * 2)
    for parameter in store.parameters {
      let (name, shape) = (parameter.tensor.name, parameter.tensor.shape)
      try read(mean + name, shape, .float32(parameter.mean), from: file)
      try read(square + name, shape, .float32(parameter.square), from: file)
    }
  }

  private static func open(_ path: String, tensors: Int) throws(TrainerError) -> SafetensorsFile {
    do throws(FormatError) {
      let file = try SafetensorsFile(path: path)
      guard file.tensors.count == tensors else {
        throw FormatError.header(
          path: path,
          rule: "\(file.tensors.count) tensors, the run has \(tensors)"
        )
      }
      return file
    } catch {
      throw .format(error)
    }
  }

  private static func read(
    _ name: String,
    _ shape: [Int],
    _ values: TrainedValues,
    from file: SafetensorsFile
  ) throws(TrainerError) {
    let type: ElementType = if case .float32 = values { .float32 } else { .bfloat16 }
    guard let info = file.info(name) else {
      throw .format(.missingTensor(path: file.path, name: name))
    }
    guard info.shape == shape, info.type == type else {
      throw .checkpoint(
        path: file.path,
        problem: "'\(name)' is \(info.type.rawValue) \(info.shape), the run has "
          + "\(type.rawValue) \(shape)"
      )
    }
    let bytes = file.bytes(of: info)
    switch values {
    case .float32(let target):
      for row in 0..<target.rows {
        let start = row * target.columns * 4
        target.withRow(row) { line in
          var line = line
          for index in 0..<line.count {
            line[index] = Float(
              bitPattern: bytes.loadLittleEndian(at: start + index * 4, as: UInt32.self)
            )
          }
        }
      }
    case .bfloat16(let target):
      for row in 0..<target.rows {
        let start = row * target.columns * 2
        target.withRow(row) { line in
          var line = line
          for index in 0..<line.count {
            line[index] = bytes.loadLittleEndian(at: start + index * 2, as: UInt16.self)
          }
        }
      }
    }
  }
}
