// SPDX-License-Identifier: Apache-2.0
// All parameters of a model, allocated from its tensor plan.

package import SEAModel
package import SEATensor

/// Parameters by canonical name, in the order of the plan.
package struct ParameterSet {
  /// Every parameter, in order.
  package private(set) var all: [Parameter] = []

  private var places: [String: Int] = [:]

  /// No parameters.
  package init() {}

  /// The tensors of a description, zeroed; int8 ones appear when they are loaded.
  ///
  /// - Parameters:
  ///   - specs: tensors of a plan, all of them or those of some parts.
  ///   - storage: how a matrix is stored; vectors are always f32.
  ///   - isTrained: whether gradients are wanted.
  /// - Throws: `LayerError.file` when memory cannot be had, `.parameter` for trained int8 matrices.
  package init(
    _ specs: [TensorSpec],
    storage: (TensorSpec) -> ParameterStorage,
    isTrained: (TensorSpec) -> Bool
  ) throws(LayerError) {
    for spec in specs {
      let kind = spec.isVector ? .float32 : storage(spec)
      let trained = isTrained(spec)
      if case .int8(let group) = kind {
        guard !trained else { throw .parameter(name: spec.name, reason: "int8 cannot be trained") }
        try add(Parameter(spec.name, packed: Self.zeros(spec, group: group)))
        continue
      }
      try add(
        Parameter(
          spec.name,
          rows: spec.rows,
          columns: spec.columns,
          storage: kind,
          isTrained: trained,
          isVector: spec.isVector
        )
      )
    }
  }

  /// The parameters of a model as they are trained, zeroed, low-rank factors behind the others.
  ///
  /// - Throws: `ModelError`, or `LayerError` when memory cannot be had or a trained matrix would be
  ///   int8.
  package init(_ model: ModelDescription, options: TrainingOptions) throws {
    let plan = try TensorPlan(model, policy: PrecisionPolicy(all: .float32))
    try self.init(plan.all, storage: options.storage(of:)) { options.trains($0.name) }
    if let lowRank = options.lowRank { try addLowRank(lowRank, beside: plan.all) }
  }

  /// Adds the low-rank factors of the chosen layers behind the other parameters, zeroed.
  ///
  /// - Throws: `LayerError` when memory cannot be had, or there are factors already.
  package mutating func addLowRank(
    _ options: LowRankOptions,
    beside specs: [TensorSpec]
  ) throws(LayerError) {
    for spec in specs where !spec.isVector && spec.role == .languageLinear {
      let parts = spec.name.split(separator: ".")
      guard parts.count > 1, options.layers.contains(String(parts[parts.count - 2])) else {
        continue
      }
      let stem = spec.name.dropLast(".weight".count)
      for (suffix, rows, columns) in [
        ("lora_a", options.rank, spec.columns), ("lora_b", spec.rows, options.rank),
      ] {
        try add(
          Parameter(
            "\(stem).\(suffix)",
            rows: rows,
            columns: columns,
            storage: .float32,
            isTrained: true
          )
        )
      }
    }
  }

  /// Adds a parameter behind the others.
  ///
  /// - Throws: `LayerError.parameter` when the name is taken.
  package mutating func add(_ parameter: Parameter) throws(LayerError) {
    guard places[parameter.name] == nil else {
      throw .parameter(name: parameter.name, reason: "exists already")
    }
    places[parameter.name] = all.count
    all.append(parameter)
  }

  /// The parameter of a name, or nil.
  package subscript(name: String) -> Parameter? { places[name].map { all[$0] } }

  /// The parameters whose gradients are wanted, in order.
  package var trained: [Parameter] { all.filter(\.isTrained) }

  /// Bytes of all values.
  package var byteCount: Int { all.reduce(0) { $0 + $1.byteCount } }

  /// The parameter of a name and shape.
  ///
  /// - Throws: `LayerError.parameter`.
  package func require(_ name: String, rows: Int, columns: Int) throws(LayerError) -> Parameter {
    guard let parameter = self[name] else { throw .parameter(name: name, reason: "is missing") }
    guard parameter.rows == rows, parameter.columns == columns else {
      throw .parameter(
        name: name,
        reason: "is \(parameter.rows)×\(parameter.columns), not \(rows)×\(columns)"
      )
    }
    return parameter
  }

  /// Reads values, as many of them as the source has.
  ///
  /// - Parameters:
  ///   - names: what to read; nil: every parameter.
  ///   - source: weights under canonical names.
  ///   - kernels: convert and pack.
  /// - Throws: what the source throws, or `LayerError.file`.
  package func load(
    _ names: [String]? = nil,
    from source: any WeightSource,
    with kernels: Kernels
  ) throws {
    for parameter in all where names.map({ $0.contains(parameter.name) }) ?? true {
      try parameter.load(from: source, with: kernels)
      source.release(parameter.name)
    }
  }

  private static func zeros(_ spec: TensorSpec, group: Int) throws(LayerError) -> PackedMatrix {
    guard let bytes = PackedMatrix.byteCount(rows: spec.rows, columns: spec.columns, group: group)
    else { throw .parameter(name: spec.name, reason: "no int8 layout in groups of \(group)") }
    do {
      let buffer = try AlignedBuffer(byteCount: bytes)
      return try PackedMatrix(buffer.bytes, rows: spec.rows, columns: spec.columns, group: group)
    } catch {
      throw .parameter(name: spec.name, reason: "\(error)")
    }
  }
}

extension Parameter {
  /// Rows that are read at a time: about 8 MB of f32, whole panels.
  private var chunk: Int { max((2 << 20) / max(columns, 1) / 32 * 32, 32) }

  /// Reads the values from a source, rounding or packing as they are stored.
  ///
  /// - Throws: what the source throws, or `LayerError.file`.
  package func load(from source: any WeightSource, with kernels: Kernels) throws {
    if case .float32(let values) = values {
      try source.read(name, rows: 0..<rows, into: values)
      return
    }
    let buffer: MatrixView<Float> = try allocate(rows: min(chunk, rows), columns: columns)
    var packed: AlignedBuffer?
    if case .int8(let matrix) = values {
      packed = try AlignedBuffer(byteCount: storage.byteCount(rows: rows, columns: columns) ?? 0)
      precondition(matrix.rows == rows, "shape changed")
    }
    for start in stride(from: 0, to: rows, by: chunk) {
      let part = buffer.rows(0..<min(chunk, rows - start))
      try source.read(name, rows: start..<start + part.rows, into: part)
      switch values {
      case .float32: break
      case .bfloat16(let target):
        kernels.convert(part, toBFloat16: target.rows(start..<start + part.rows))
      case .int8(let matrix):
        guard let packed else { continue }
        let size = packed.byteCount / matrix.panels
        for row in stride(from: 0, to: part.rows, by: PackedMatrix.panelRows) {
          let panel = (start + row) / PackedMatrix.panelRows
          _ = Kernels.pack(
            part.rows(row..<min(row + PackedMatrix.panelRows, part.rows)),
            group: matrix.group,
            into: packed.matrix(offset: panel * size, rows: 1, columns: size)
          )
        }
      }
    }
    if case .int8(let matrix) = values, let packed {
      values = .int8(
        try PackedMatrix(packed.bytes, rows: rows, columns: columns, group: matrix.group)
      )
    }
  }
}
