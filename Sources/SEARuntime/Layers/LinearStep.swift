// SPDX-License-Identifier: Apache-2.0
// One linear step of up to three layers that share an input.

import SEATensor

/// What happens to a layer's outputs while they are still in cache.
enum Epilogue {
  /// Nothing.
  case none
  /// `y = f(y)`.
  case activate(Activation)
  /// `x += y`.
  case add(to: MatrixView<Float>)
  /// `g = f(g) · y`; the layer that writes `g` stands before this one in the step.
  case gate(Activation, MatrixView<Float>)
}

/// One layer of a step and where its outputs go.
struct LinearTask {
  let layer: Linear
  /// `[tokens, outputs]`.
  let output: MatrixView<Float>
  let epilogue: Epilogue

  init(_ layer: Linear, into output: MatrixView<Float>, then epilogue: Epilogue = .none) {
    self.layer = layer
    self.output = output
    self.epilogue = epilogue
  }

  /// Finishes the outputs of `rows` for all tokens.
  func finish(_ rows: Range<Int>, with kernels: Kernels) {
    switch epilogue {
    case .none: break
    case .activate(let f): kernels.activate(f, output.columns(rows))
    case .add(let x): kernels.add(output.columns(rows), to: x.columns(rows))
    case .gate(let f, let g): kernels.gate(f, g.columns(rows), up: output.columns(rows))
    }
  }
}

/// Room that linear steps of one forward pass share.
struct LinearRoom {
  let buffer: AlignedBuffer
  let scratch: LinearScratch
  let stream: StreamBuffer
}

extension Execution {
  /// Runs layers that read the same input; each output row is computed by one thread.
  ///
  /// The input is normalised and quantised once. Layers stored in different forms run one after the
  /// other, with the same results.
  ///
  /// - Parameters:
  ///   - x: `[tokens, inputs]`.
  ///   - norm: applied to `x` first, into scratch.
  ///   - room: scratch for the prepared input.
  ///   - first: a layer, its output and what follows.
  ///   - second: another layer of the same input.
  ///   - third: another layer of the same input.
  /// - Throws: `RuntimeError.weights` when streamed weights cannot be read.
  func apply(
    _ x: MatrixView<Float>,
    norm: Normalization? = nil,
    in room: LinearRoom,
    _ first: LinearTask,
    _ second: LinearTask? = nil,
    _ third: LinearTask? = nil
  ) throws(RuntimeError) {
    var values = x
    if norm != nil {
      values = room.scratch.normalized(in: room.buffer, tokens: x.rows, columns: x.columns)
    }
    let demand = first.layer.weight.demand
    let isUniform =
      demand != .streaming && second.map { $0.layer.weight.demand == demand } ?? true
      && third.map { $0.layer.weight.demand == demand } ?? true
    if isUniform {
      let packed = prepare(x, norm: norm, values: values, demand: demand, in: room)
      try multiply(values, packed, first, second, third)
      return
    }
    try run(first, x, norm: norm, values: values, in: room)
    if let second { try run(second, values, norm: nil, values: values, in: room) }
    if let third { try run(third, values, norm: nil, values: values, in: room) }
  }

  /// Runs one layer of a step whose layers are stored in different forms.
  private func run(
    _ task: LinearTask,
    _ x: MatrixView<Float>,
    norm: Normalization?,
    values: MatrixView<Float>,
    in room: LinearRoom
  ) throws(RuntimeError) {
    let weight = task.layer.weight
    let packed = prepare(x, norm: norm, values: values, demand: weight.demand, in: room)
    if case .streamed(let matrix) = weight {
      try multiply(values, matrix, task, stream: room.stream)
    } else {
      try multiply(values, packed, task, nil, nil)
    }
  }

  /// Normalises and quantises the input as the layers need it.
  private func prepare(
    _ x: MatrixView<Float>,
    norm: Normalization?,
    values: MatrixView<Float>,
    demand: InputDemand,
    in room: LinearRoom
  ) -> PackedActivations? {
    var packed: PackedActivations?
    var size = 0
    if case .quantized(let group) = demand {
      packed = room.scratch.packed(
        in: room.buffer,
        tokens: x.rows,
        columns: x.columns,
        group: group
      )
      size = group
    }
    guard norm != nil || packed != nil else { return nil }
    let work = PrepareWork(
      kernels: kernels,
      input: x,
      norm: norm,
      values: values,
      packed: packed,
      group: size
    )
    pool.run(work, pieces: work.pieces)
    return packed
  }

  private func multiply(
    _ values: MatrixView<Float>,
    _ packed: PackedActivations?,
    _ first: LinearTask,
    _ second: LinearTask?,
    _ third: LinearTask?
  ) throws(RuntimeError) {
    let isUnpacked =
      first.layer.weight.isUnpacked || second?.layer.weight.isUnpacked ?? false
      || third?.layer.weight.isUnpacked ?? false
    var unpacked: MatrixView<UInt8>?
    if isUnpacked, values.rows > 1 { unpacked = try unpackRoom.rows(columns: values.columns) }
    var units = first.layer.weight.units
    if let second { units = max(units, second.layer.weight.units) }
    if let third { units = max(units, third.layer.weight.units) }
    let work = MultiplyWork(
      kernels: kernels,
      values: values,
      packed: packed,
      first: first,
      second: second,
      third: third,
      unpacked: unpacked,
      pieces: pieces(for: units),
      profiler: pool.profiler
    )
    pool.run(work, pieces: work.pieces)
  }
}

/// Normalises and quantises blocks of rows.
private struct PrepareWork: ParallelWork {
  static let kind = WorkKind.preparation

  let kernels: Kernels
  let input: MatrixView<Float>
  let norm: Normalization?
  let values: MatrixView<Float>
  let packed: PackedActivations?
  let group: Int

  static let rows = 8

  var pieces: Int { (input.rows + Self.rows - 1) / Self.rows }

  func run(piece: Int, worker: Int) {
    let range = piece * Self.rows..<min((piece + 1) * Self.rows, input.rows)
    let part = values.rows(range)
    norm?.apply(input.rows(range), into: part, with: kernels)
    if let packed { kernels.quantize(part, group: group, into: packed.rows(range)) }
  }
}

/// A share of the outputs of every layer of a step.
private struct MultiplyWork: ParallelWork {
  static let kind = WorkKind.linear

  let kernels: Kernels
  let values: MatrixView<Float>
  let packed: PackedActivations?
  let first: LinearTask
  let second: LinearTask?
  let third: LinearTask?
  /// Room for unpacked int4 panels, a row for each thread.
  let unpacked: MatrixView<UInt8>?
  let pieces: Int
  let profiler: WorkProfiler

  func run(piece: Int, worker: Int) {
    run(first, piece, worker)
    if let second { run(second, piece, worker) }
    if let third { run(third, piece, worker) }
  }

  private func run(_ task: LinearTask, _ piece: Int, _ worker: Int) {
    let weight = task.layer.weight
    let units = share(weight.units, piece: piece, of: pieces)
    let rows = weight.rows(ofUnits: units)
    guard !rows.isEmpty else { return }
    switch weight {
    case .packed(let matrix):
      guard let packed else { preconditionFailure("packed weights without quantised input") }
      kernels.multiply(
        packed,
        matrix,
        panels: units,
        bias: task.layer.bias,
        into: task.output,
        unpacked: unpacked?.rows(worker..<worker + 1)
      )
    case .plain(let matrix):
      kernels.multiply(values, matrix, rows: rows, bias: task.layer.bias, into: task.output)
    case .streamed: preconditionFailure("streamed weights are multiplied where they are read")
    }
    guard profiler.isOn else { return task.finish(rows, with: kernels) }
    let start = MonotonicClock.nanoseconds
    task.finish(rows, with: kernels)
    let elapsed = MonotonicClock.nanoseconds - start
    profiler.add(elapsed, of: .activation, worker: worker)
    profiler.add(-elapsed, of: .linear, worker: worker)
  }
}
