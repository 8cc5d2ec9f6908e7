// SPDX-License-Identifier: Apache-2.0
// Weights files of an export: one, or shards with an index.

internal import SEAFormat
internal import SEAModel
internal import SEATensor

/// The tensors of one folder, cut into files.
struct ExportWriter {
  private let source: any WeightSource
  private let shards: [[(tensor: ExportTensor, type: ElementType)]]

  /// Bytes of f32 that are read at a time.
  private static let chunkBytes = SourceTensor.chunkBytes

  /// Chooses types and cuts.
  ///
  /// - Parameters:
  ///   - source: the weights.
  ///   - tensors: in the order of writing.
  ///   - mainType: what vectors are stored in where it holds their values.
  ///   - shardBytes: bytes of a file at most, unless one tensor has more.
  ///   - type: the type that holds a canonical tensor's values.
  /// - Throws: what the source throws.
  init(
    _ source: any WeightSource,
    _ tensors: [ExportTensor],
    mainType: ElementType,
    shardBytes: Int,
    type: (String) -> ElementType,
  ) throws {
    self.source = source
    var shards: [[(tensor: ExportTensor, type: ElementType)]] = []
    var bytes = 0
    for tensor in tensors {
      let types = Set(tensor.parts.map { type($0.name) })
      var stored = types.count == 1 ? types.first ?? .float32 : .float32
      if stored == .float32, mainType != .float32, tensor.parts.allSatisfy(\.isVector) {
        let values = try Self.values(tensor, source)
        if ElementEncoder.isExact(values, as: mainType) { stored = mainType }
      }
      let size = tensor.count * stored.size
      if shards.isEmpty || bytes + size > shardBytes {
        shards.append([])
        bytes = 0
      }
      shards[shards.count - 1].append((tensor, stored))
      bytes += size
    }
    self.shards = shards
  }

  /// Bytes of all tensors.
  var byteCount: Int {
    shards.reduce(0) { $0 + $1.reduce(0) { $0 + $1.tensor.count * $1.type.size } }
  }

  /// Writes the files.
  ///
  /// - Parameters:
  ///   - folder: where.
  ///   - prefix: a folder inside, with a slash behind; empty: the folder itself.
  ///   - advance: told the bytes of each piece.
  /// - Throws: `FormatError`, or what the source or `advance` throws.
  func write(
    in folder: ExportFolder,
    below prefix: String,
    _ advance: (Int) throws -> Void,
  ) throws {
    var map = JSONObject()
    for (index, shard) in shards.enumerated() {
      let name = shards.count == 1 ? "model.safetensors" : Self.shardName(index, of: shards.count)
      var writer = try SafetensorsWriter(
        path: folder.file(prefix + name),
        tensors: shard.map { SafetensorsTensor($0.tensor.name, $0.type, $0.tensor.shape) },
        metadata: [("format", "pt")]
      )
      for (tensor, type) in shard {
        try write(tensor, as: type, to: &writer, advance)
        map[tensor.name] = .string(name)
      }
      try writer.finish()
    }
    guard shards.count > 1 else { return }
    let index: JSONValue = [
      "metadata": ["total_size": .number(JSONNumber(byteCount))], "weight_map": .object(map),
    ]
    try folder.write(index, to: prefix + "model.safetensors.index.json")
  }

  private func write(
    _ tensor: ExportTensor,
    as type: ElementType,
    to writer: inout SafetensorsWriter,
    _ advance: (Int) throws -> Void,
  ) throws {
    var bytes: [UInt8] = []
    for part in tensor.parts {
      try Self.forEachChunk(of: part, minus: tensor.subtrahend, source) { values in
        if type == .float32 {
          try writer.write(values, to: tensor.name)
        } else {
          ElementEncoder.encode(values, as: type, into: &bytes)
          try writer.write(bytes, to: tensor.name)
        }
        try advance(values.count * type.size)
      }
      source.release(part.name)
    }
  }

  /// All values of a vector as they will be stored.
  private static func values(
    _ tensor: ExportTensor,
    _ source: any WeightSource,
  ) throws -> [Float] {
    var all: [Float] = []
    for part in tensor.parts {
      try forEachChunk(of: part, minus: tensor.subtrahend, source) { all += $0 }
    }
    return all
  }

  /// Hands a canonical tensor's rows to `body`, a chunk at a time.
  private static func forEachChunk(
    of spec: TensorSpec,
    minus subtrahend: Float,
    _ source: any WeightSource,
    _ body: ([Float]) throws -> Void,
  ) throws {
    let rows = max(1, chunkBytes / max(1, spec.columns * MemoryLayout<Float>.size))
    var start = 0
    while start < spec.rows {
      let chunk = start..<min(spec.rows, start + rows)
      let out = try MatrixView<Float>(rows: chunk.count, columns: spec.columns)
      try source.read(spec.name, rows: chunk, into: out)
      var values = out.array()
      if subtrahend != 0 { for index in values.indices { values[index] -= subtrahend } }
      try body(values)
      start = chunk.upperBound
    }
  }

  private static func shardName(_ index: Int, of count: Int) -> String {
    func padded(_ number: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    return "model-\(padded(index + 1))-of-\(padded(count)).safetensors"
  }
}
