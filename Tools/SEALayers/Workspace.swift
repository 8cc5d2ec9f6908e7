// SPDX-License-Identifier: Apache-2.0
// Memory that passes use again and again, by name.

import SEATensor

/// Named buffers that grow to the largest size asked for; contents are left over from earlier use.
///
/// Two uses of one name must not overlap in time.
package final class Workspace {
  private var buffers: [String: AlignedBuffer] = [:]

  /// No memory yet.
  package init() {}

  /// Bytes that are held.
  package var byteCount: Int { buffers.values.reduce(0) { $0 + $1.byteCount } }

  /// Room of a shape under a name.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  func matrix<Element: BitwiseCopyable>(
    _ name: String,
    of type: Element.Type = Element.self,
    rows: Int,
    columns: Int
  ) throws(LayerError) -> MatrixView<Element> {
    let bytes = rows * columns * MemoryLayout<Element>.stride
    if let buffer = buffers[name], buffer.byteCount >= bytes {
      return buffer.matrix(rows: rows, columns: columns)
    }
    buffers[name] = nil
    do throws(FileError) {
      let buffer = try AlignedBuffer(byteCount: bytes)
      buffers[name] = buffer
      return buffer.matrix(rows: rows, columns: columns)
    } catch {
      throw .file(error)
    }
  }

  /// f32 room.
  ///
  /// - Throws: `LayerError.file` when memory cannot be had.
  func floats(_ name: String, _ rows: Int, _ columns: Int) throws(LayerError) -> MatrixView<Float> {
    try matrix(name, rows: rows, columns: columns)
  }

  /// Gives all memory back.
  package func release() { buffers = [:] }
}

/// What every layer of a pass works with.
package struct LayerContext {
  package let execution: TrainingExecution
  package let workspace: Workspace
  /// Decides dropout.
  package var seed: UInt64 = 0
  /// Low-rank layers drop inputs, as they do in training.
  package var drops = true
  /// Called when a parameter's gradient of this pass is complete.
  package var sink: ((Parameter) throws -> Void)?

  /// Work on an execution, without a sink.
  package init(_ execution: TrainingExecution, workspace: Workspace = Workspace()) {
    self.execution = execution
    self.workspace = workspace
  }

  /// Says that the gradients of some parameters are complete.
  func complete(_ parameters: Parameter?...) throws {
    guard let sink else { return }
    for case let parameter? in parameters where parameter.isTrained { try sink(parameter) }
  }
}
