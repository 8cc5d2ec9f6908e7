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
  /// Behind the name of a moment that is stored as codes: what 1 stands for in each block.
  private static let scale = ".scale"

  // MARK: - Writing

  /// Writes the values of every tensor.
  static func writeWeights(_ store: ParameterStore, to path: String) throws(TrainerError) {
    try write(weights(store), to: path)
  }

  /// Writes the moments of every tensor.
  static func writeMoments(_ store: ParameterStore, to path: String) throws(TrainerError) {
    try write(moments(store), to: path)
  }

  private static func weights(_ store: ParameterStore) -> [Part] {
    store.parameters.map { parameter in
      let tensor = parameter.tensor
      return switch tensor.trainedValues {
      case .float32(let values): Part(tensor.name, tensor.shape, .float32(values))
      case .bfloat16(let values): Part(tensor.name, tensor.shape, .bfloat16(values))
      }
    }
  }

  private static func moments(_ store: ParameterStore) -> [Part] {
    store.parameters.flatMap { parameter in
      let (name, shape) = (parameter.tensor.name, parameter.tensor.shape)
      switch parameter.moments {
      case .float32(let mean, let square):
        return [
          Part(Self.mean + name, shape, .float32(mean)),
          Part(Self.square + name, shape, .float32(square)),
        ]
      case .codes(let mean, let square):
        return [(Self.mean, mean), (Self.square, square)].flatMap { prefix, moment in
          [
            Part(prefix + name, shape, .bytes(moment.codes)),
            Part(
              prefix + name + scale,
              [moment.scales.rows, moment.scales.columns],
              .float32(moment.scales)
            ),
          ]
        }
      }
    }
  }

  /// Memory of a tensor in a file.
  private enum PartValues {
    case float32(MatrixView<Float>)
    case bfloat16(MatrixView<UInt16>)
    case bytes(MatrixView<UInt8>)
  }

  private struct Part {
    let name: String
    let shape: [Int]
    let values: PartValues

    init(_ name: String, _ shape: [Int], _ values: PartValues) {
      self.name = name
      self.shape = shape
      self.values = values
    }

    var type: ElementType {
      switch values {
      case .float32: .float32
      case .bfloat16: .bfloat16
      case .bytes: .uint8
      }
    }
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
        case .bytes(let values):
          for row in 0..<values.rows {
            try writer.write(values.rows(row..<row + 1).array(), to: part.name)
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
    try read(weights(store), from: path)
  }

  /// Fills the moments of every tensor.
  static func readMoments(_ store: ParameterStore, from path: String) throws(TrainerError) {
    try read(moments(store), from: path)
  }

  private static func read(_ parts: [Part], from path: String) throws(TrainerError) {
    let file = try open(path, tensors: parts.count)
    for part in parts { try read(part, from: file) }
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

  private static func read(_ part: Part, from file: SafetensorsFile) throws(TrainerError) {
    let (name, shape, type) = (part.name, part.shape, part.type)
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
    switch part.values {
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
    case .bytes(let target):
      for row in 0..<target.rows {
        let start = row * target.columns
        target.rows(row..<row + 1).copy(from: bytes.slice(start..<start + target.columns).array())
      }
    }
  }
}
