// SPDX-License-Identifier: Apache-2.0
// Writes pickles instruction by instruction, honest and hostile ones alike.

/// Appends pickle instructions, named as CPython's `pickletools` names them.
struct PickleWriter {
  var bytes: [UInt8] = [0x80, 2]

  mutating func op(_ code: UInt8, _ operand: [UInt8] = []) {
    bytes.append(code)
    bytes += operand
  }

  mutating func mark() { op(0x28) }
  mutating func emptyTuple() { op(0x29) }
  mutating func emptyDict() { op(0x7D) }
  mutating func emptyList() { op(0x5D) }
  mutating func none() { op(0x4E) }
  mutating func tuple() { op(0x74) }
  mutating func tuple1() { op(0x85) }
  mutating func reduce() { op(0x52) }
  mutating func build() { op(0x62) }
  mutating func persid() { op(0x51) }
  mutating func setItem() { op(0x73) }
  mutating func setItems() { op(0x75) }
  mutating func stop() { op(0x2E) }
  mutating func put(_ key: UInt8) { op(0x71, [key]) }
  mutating func get(_ key: UInt8) { op(0x68, [key]) }

  mutating func global(_ module: String, _ name: String) {
    op(0x63, Array("\(module)\n\(name)\n".utf8))
  }

  mutating func text(_ text: String) {
    op(0x58, littleEndian(UInt32(text.utf8.count)) + Array(text.utf8))
  }

  /// BININT for what fits 32 bits, else LONG1.
  mutating func int(_ value: Int) {
    if let small = Int32(exactly: value) {
      op(0x4A, littleEndian(UInt32(bitPattern: small)))
    } else {
      op(0x8A, [8] + littleEndian(UInt64(bitPattern: Int64(value))))
    }
  }

  mutating func ints(_ values: [Int]) {
    mark()
    for value in values { int(value) }
    tuple()
  }

  /// A persistent id: a storage in the archive.
  mutating func storage(_ key: String, type: String, count: Int) {
    mark()
    text("storage")
    global("torch", type)
    text(key)
    text("cpu")
    int(count)
    tuple()
    persid()
  }

  /// A whole `_rebuild_tensor_v2` call.
  mutating func tensor(_ tensor: TestTensor) {
    global("torch._utils", "_rebuild_tensor_v2")
    mark()
    storage(tensor.key, type: tensor.storageType, count: tensor.storageCount)
    int(tensor.offset)
    ints(tensor.shape)
    ints(tensor.strides)
    op(0x89)
    global("collections", "OrderedDict")
    emptyTuple()
    reduce()
    tuple()
    reduce()
  }

  /// A state dictionary as `torch.save` writes it.
  static func stateDictionary(_ tensors: [TestTensor]) -> [UInt8] {
    var writer = PickleWriter()
    writer.dictionary(tensors)
    writer.stop()
    return writer.bytes
  }

  mutating func dictionary(_ tensors: [TestTensor]) {
    global("collections", "OrderedDict")
    emptyTuple()
    reduce()
    mark()
    for entry in tensors {
      text(entry.name)
      tensor(entry)
    }
    setItems()
    // State of the dictionary: layer versions, as torch attaches them.
    emptyDict()
    text("_metadata")
    global("collections", "OrderedDict")
    emptyTuple()
    reduce()
    setItem()
    build()
  }
}

/// A tensor of a generated torch file.
struct TestTensor {
  var name: String
  var key = "0"
  var storageType = "FloatStorage"
  var storageCount: Int
  var offset = 0
  var shape: [Int]
  var strides: [Int]
}

/// The bytes of a number, lowest first.
func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
}

/// The stored bytes of some 16-bit patterns.
func stored(_ patterns: [UInt16]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(patterns.count * 2)
  for pattern in patterns {
    bytes.append(UInt8(truncatingIfNeeded: pattern))
    bytes.append(UInt8(truncatingIfNeeded: pattern >> 8))
  }
  return bytes
}

/// The stored bytes of some f32 values.
func stored(_ values: [Float]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(values.count * 4)
  for value in values {
    for shift in [0, 8, 16, 24] as [UInt32] {
      bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
    }
  }
  return bytes
}
