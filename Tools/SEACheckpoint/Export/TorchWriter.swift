// SPDX-License-Identifier: Apache-2.0
// Writes small sets of tensors as a torch file: a stored ZIP around a pickle of protocol 2.

internal import SEAFormat

/// An f32 tensor to be written.
package struct TorchTensor: Sendable {
  package let name: String
  package let shape: [Int]
  /// Row by row.
  package let values: [Float]

  /// A tensor.
  ///
  /// - Precondition: the shape holds as many values.
  package init(name: String, shape: [Int], values: [Float]) {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values for \(shape)")
    self.name = name
    self.shape = shape
    self.values = values
  }
}

/// What `torch.save` makes of a dictionary of tensors, and `torch.load` takes with `weights_only`.
///
/// The archive is `NAME/data.pkl`, `NAME/data/K` for each tensor, `NAME/version`; nothing is compressed
/// and the bytes of tensors start at multiples of 64. The same tensors give the same bytes.
/// - Source: PyTorch `torch/serialization.py`, `caffe2/serialize/inline_container.cc`.
package enum TorchWriter {
  /// Writes the file, all or nothing.
  ///
  /// - Parameters:
  ///   - tensors: in the order of the dictionary; names differ.
  ///   - path: where the file appears.
  /// - Throws: `CheckpointError.format`, `.unsupported` for tensors beyond 2 GiB.
  package static func write(_ tensors: [TorchTensor], to path: String) throws(CheckpointError) {
    var archive = StoredZip()
    let name = "archive"
    archive.add("\(name)/data.pkl", pickle(tensors))
    for (index, tensor) in tensors.enumerated() {
      archive.add("\(name)/data/\(index)", bytes(of: tensor.values))
    }
    archive.add("\(name)/version", Array("3\n".utf8))
    // Sizes and offsets of plain ZIP have 32 bits, and some readers take them as signed.
    guard archive.bytes.count < Int(Int32.max) else {
      throw .unsupported(path: path, what: "torch files beyond 2 GiB")
    }
    do throws(FormatError) {
      let file = try AtomicFile(path: path)
      let bytes = archive.finished()
      try file.requireSpace(bytes.count)
      try file.write(bytes)
      try file.commit()
    } catch {
      throw .format(error)
    }
  }

  private static func bytes(of values: [Float]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * 4)
    for value in values { bytes.append(littleEndian: value.bitPattern) }
    return bytes
  }

  // MARK: - Pickle

  /// `{name: _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()), …}`.
  private static func pickle(_ tensors: [TorchTensor]) -> [UInt8] {
    var code: [UInt8] = [0x80, 2]
    code.append(ascii: "}(")
    for (index, tensor) in tensors.enumerated() {
      code.append(text: tensor.name)
      code.append(ascii: "ctorch._utils\n_rebuild_tensor_v2\n((")
      code.append(text: "storage")
      code.append(ascii: "ctorch\nFloatStorage\n")
      code.append(text: String(index))
      code.append(text: "cpu")
      code.append(integer: tensor.values.count)
      code.append(ascii: "tQ")
      code.append(integer: 0)
      code.append(tuple: tensor.shape)
      code.append(tuple: strides(of: tensor.shape))
      code.append(0x89)  // False: no gradient is wanted.
      code.append(ascii: "ccollections\nOrderedDict\n)RtR")
    }
    code.append(ascii: "u.")
    return code
  }

  private static func strides(of shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    return strides
  }
}

extension [UInt8] {
  fileprivate mutating func append(ascii text: String) { append(contentsOf: text.utf8) }

  /// BINUNICODE.
  fileprivate mutating func append(text: String) {
    append(0x58)
    append(littleEndian: UInt32(truncatingIfNeeded: text.utf8.count))
    append(contentsOf: text.utf8)
  }

  /// BININT1, BININT2 or BININT: the shortest, as Python's pickler chooses.
  fileprivate mutating func append(integer value: Int) {
    switch value {
    case 0..<256:
      append(0x4B)
      append(UInt8(value))
    case 256..<65_536:
      append(0x4D)
      append(littleEndian: UInt16(value))
    default:
      append(0x4A)
      append(littleEndian: Int32(truncatingIfNeeded: value))
    }
  }

  /// A tuple of integers.
  fileprivate mutating func append(tuple values: [Int]) {
    guard !values.isEmpty else {
      append(0x29)
      return
    }
    append(0x28)
    for value in values { append(integer: value) }
    append(0x74)
  }
}
