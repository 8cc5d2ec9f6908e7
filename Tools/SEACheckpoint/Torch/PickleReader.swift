// SPDX-License-Identifier: Apache-2.0
// A symbolic reader of the pickles that torch writes; it imports, calls and executes nothing.

internal import SEAFormat
internal import SEATensor

/// Reads the subset of pickle protocol 2 that state dictionaries use.
///
/// A pickle is a program for a small stack machine. This reader follows it only where the program
/// describes tensors, dictionaries and numbers; every other instruction or name ends the reading.
/// Memory is bounded by the limits below, whatever the program says.
///
/// - Source: reference.md D.5; CPython `Lib/pickletools.py` for the instruction formats.
package struct PickleReader {
  /// Bytes of the largest pickle that is read; a 13B state dictionary takes about 100 kB.
  package static let maxBytes = 16 << 20
  /// Values on the stack, in the memo and in containers, and containers: at most so many of each.
  private static let maxValues = 200_000
  /// Containers inside containers; state dictionaries need about six.
  private static let maxDepth = 64
  /// Characters of a module or class name.
  private static let maxNameLength = 200
  /// Axes of a tensor.
  private static let maxRank = 8

  private let bytes: [UInt8]
  private let path: String
  private var position = 0
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [UInt32: PickleValue] = [:]
  private var objects: [PickleObject] = []
  private var depths: [UInt8] = []
  /// Values in all containers together.
  private var contained = 0

  private init(_ bytes: [UInt8], path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// Reads one pickle, which must take all of `bytes`.
  ///
  /// - Throws: `CheckpointError.refusedImport` for a name that is not on the list,
  ///   `CheckpointError.malformed` for anything else that is not a plain state dictionary.
  package static func read(
    _ bytes: [UInt8],
    path: String,
  ) throws(CheckpointError) -> PickleDocument {
    guard bytes.count <= maxBytes else {
      throw .malformed(
        path: path,
        problem: "a pickle of \(bytes.count) bytes, the limit is \(maxBytes)",
      )
    }
    var reader = Self(bytes, path: path)
    let root = try reader.run()
    return PickleDocument(root: root, objects: reader.objects)
  }
}

// MARK: - The machine

extension PickleReader {
  private mutating func run() throws(CheckpointError) -> PickleValue {
    while true {
      let start = position
      let code = try byte()
      guard let instruction = PickleInstruction(rawValue: code) else {
        throw fault(
          "refused pickle instruction \(PickleInstruction.name(of: code)) at byte \(start)"
        )
      }
      if instruction == .stop { break }
      try step(instruction)
      guard stack.count <= Self.maxValues, memo.count <= Self.maxValues,
        objects.count <= Self.maxValues, marks.count <= Self.maxValues
      else { throw fault("the pickle needs more than \(Self.maxValues) values at byte \(start)") }
    }
    let root = try pop()
    guard stack.isEmpty, marks.isEmpty else { throw fault("the pickle leaves values behind") }
    guard position == bytes.count else {
      throw fault("\(bytes.count - position) bytes follow the end of the pickle")
    }
    return root
  }

  private mutating func step(_ instruction: PickleInstruction) throws(CheckpointError) {
    switch instruction {
    case .proto:
      let version = try byte()
      guard version == 2 || version == 3 else {
        throw fault("pickle protocol \(version), torch files use 2")
      }
    case .stop: break
    case .mark: marks.append(stack.count)
    case .none: stack.append(.none)
    case .newTrue: stack.append(.bool(true))
    case .newFalse: stack.append(.bool(false))
    case .binInt: stack.append(.int(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
    case .binInt1: stack.append(.int(try unsigned(1)))
    case .binInt2: stack.append(.int(try unsigned(2)))
    case .long1: stack.append(.int(try long()))
    case .binFloat: stack.append(.double(try float()))
    case .binUnicode: stack.append(.string(try unicode()))
    case .emptyTuple: try push(.tuple([]))
    case .tuple1: try push(.tuple(try pop(1)))
    case .tuple2: try push(.tuple(try pop(2)))
    case .tuple3: try push(.tuple(try pop(3)))
    case .tuple: try push(.tuple(try popToMark()))
    case .emptyList: try push(.list([]))
    case .emptyDict: try push(.dictionary([]))
    case .append: try append([try pop()])
    case .appends: try append(try popToMark())
    case .setItem: try set(try pop(2))
    case .setItems: try set(try popToMark())
    case .binPut: try remember(UInt32(try unsigned(1)))
    case .longBinPut: try remember(UInt32(try unsigned(4)))
    case .binGet: try recall(UInt32(try unsigned(1)))
    case .longBinGet: try recall(UInt32(try unsigned(4)))
    case .global: stack.append(.global(try global()))
    case .binPersid: try persistent()
    case .reduce: try reduce()
    case .build: try build()
    }
  }

  private func fault(_ problem: String) -> CheckpointError {
    .malformed(path: path, problem: problem)
  }
}

// MARK: - Stack, memo, containers

extension PickleReader {
  private mutating func pop() throws(CheckpointError) -> PickleValue {
    // Values below the innermost mark belong to the container that is being collected.
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw fault("the pickle takes a value that is not there, at byte \(position)")
    }
    return value
  }

  private mutating func pop(_ count: Int) throws(CheckpointError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw fault("the pickle takes a value that is not there, at byte \(position)")
    }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(CheckpointError) -> [PickleValue] {
    guard let mark = marks.popLast() else {
      throw fault("the pickle closes a group that is not open, at byte \(position)")
    }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func push(_ object: PickleObject) throws(CheckpointError) {
    var depth: UInt8 = 0
    if case .tuple(let items) = object {
      try charge(items.count)
      depth = try nestedDepth(items)
    }
    stack.append(.object(objects.count))
    objects.append(object)
    depths.append(depth)
  }

  /// One more than the deepest of `items`.
  ///
  /// A list or dictionary that contains itself stays harmless: it is one object however often it
  /// is named, and nothing walks containers without a limit.
  private func nestedDepth(_ items: [PickleValue]) throws(CheckpointError) -> UInt8 {
    var depth: UInt8 = 0
    for case .object(let index) in items { depth = max(depth, depths[index] + 1) }
    guard depth < Self.maxDepth else {
      throw fault("values nest deeper than \(Self.maxDepth), at byte \(position)")
    }
    return depth
  }

  private func topObject() throws(CheckpointError) -> Int {
    guard stack.count > marks.last ?? 0, case .object(let index)? = stack.last else {
      throw fault("the pickle fills something that is no container, at byte \(position)")
    }
    return index
  }

  private mutating func append(_ items: [PickleValue]) throws(CheckpointError) {
    let index = try topObject()
    guard case .list(var list) = objects[index] else {
      throw fault("the pickle appends to something that is no list, at byte \(position)")
    }
    try charge(items.count)
    objects[index] = .list([])
    list.append(contentsOf: items)
    depths[index] = max(depths[index], try nestedDepth(items))
    objects[index] = .list(list)
  }

  private mutating func set(_ items: [PickleValue]) throws(CheckpointError) {
    let index = try topObject()
    guard case .dictionary(var entries) = objects[index], items.count.isMultiple(of: 2) else {
      throw fault("the pickle sets entries of something that is no dictionary, at byte \(position)")
    }
    try charge(items.count)
    objects[index] = .dictionary([])
    for pair in stride(from: 0, to: items.count, by: 2) {
      entries.append((items[pair], items[pair + 1]))
    }
    depths[index] = max(depths[index], try nestedDepth(items))
    objects[index] = .dictionary(entries)
  }

  /// Counts values that go into a container.
  private mutating func charge(_ count: Int) throws(CheckpointError) {
    contained += count
    guard contained <= Self.maxValues else {
      throw fault("containers hold more than \(Self.maxValues) values, at byte \(position)")
    }
  }

  private mutating func remember(_ key: UInt32) throws(CheckpointError) {
    guard stack.count > marks.last ?? 0, let value = stack.last else {
      throw fault("the pickle remembers a value that is not there, at byte \(position)")
    }
    memo[key] = value
  }

  private mutating func recall(_ key: UInt32) throws(CheckpointError) {
    guard let value = memo[key] else {
      throw fault("the pickle recalls value \(key), which was never remembered")
    }
    stack.append(value)
  }
}

// MARK: - Operands

extension PickleReader {
  private mutating func byte() throws(CheckpointError) -> UInt8 {
    guard position < bytes.count else { throw fault("the pickle is cut short") }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func take(_ count: Int) throws(CheckpointError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else {
      throw fault("the pickle claims \(count) bytes at byte \(position) and is cut short")
    }
    defer { position += count }
    return bytes[position..<position + count]
  }

  /// A little-endian unsigned number of up to four bytes.
  private mutating func unsigned(_ width: Int) throws(CheckpointError) -> Int {
    try take(width).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// A little-endian two's-complement number of up to 255 bytes that must fit 64 bits.
  private mutating func long() throws(CheckpointError) -> Int {
    let width = try unsigned(1)
    let digits = try take(width)
    guard width <= 8 else { throw fault("a number of \(width) bytes at byte \(position)") }
    let isNegative = (digits.last ?? 0) >= 0x80
    var value: UInt64 = isNegative ? .max : 0
    for digit in digits.reversed() { value = value << 8 | UInt64(digit) }
    return Int(truncatingIfNeeded: value)
  }

  /// A big-endian double.
  private mutating func float() throws(CheckpointError) -> Double {
    Double(bitPattern: try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  private mutating func unicode() throws(CheckpointError) -> String {
    let count = try unsigned(4)
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw fault("text that is not valid UTF-8 before byte \(position)")
    }
    return text
  }

  private mutating func global() throws(CheckpointError) -> PickleGlobal {
    let module = try line()
    let name = try line()
    guard let symbol = PickleGlobal(module: module, name: name) else {
      throw .refusedImport(path: path, name: "\(module).\(name)".printable())
    }
    return symbol
  }

  private mutating func line() throws(CheckpointError) -> String {
    let rest = bytes[position...].prefix(Self.maxNameLength + 1)
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")),
      let text = String(validating: bytes[position..<end], as: UTF8.self)
    else { throw fault("a name without an end at byte \(position)") }
    position = end + 1
    return text
  }
}

// MARK: - Calls, understood and not made

extension PickleReader {
  /// `("storage", class, key, location, count)`: a storage in the archive.
  private mutating func persistent() throws(CheckpointError) {
    let items = try tuple(try pop())
    guard items.count == 5, case .string("storage") = items[0],
      case .string(let key) = items[2], case .string = items[3],
      case .int(let count) = items[4], count >= 0
    else { throw fault("a persistent id that is no storage, at byte \(position)") }
    switch items[1] {
    case .global(.storage(let type)):
      try push(.storage(PickleStorage(key: key, type: type, count: count)))
    case .global(.untypedStorage):
      try push(.storage(PickleStorage(key: key, type: nil, count: count)))
    default: throw fault("a persistent id without a storage class, at byte \(position)")
    }
  }

  private mutating func reduce() throws(CheckpointError) {
    let arguments = try tuple(try pop())
    guard case .global(let symbol) = try pop() else {
      throw fault("a call of something that is no name, at byte \(position)")
    }
    switch symbol {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw fault("an OrderedDict with arguments") }
      try push(.dictionary([]))
    case .rebuildTensor: try tensor(arguments, counts: 4...4)
    case .rebuildTensorV2: try tensor(arguments, counts: 6...7)
    case .rebuildTensorV3:
      guard arguments.count >= 7, case .global(.elementType(let type)) = arguments[6] else {
        throw fault("a tensor without an element type, at byte \(position)")
      }
      try tensor(arguments, counts: 7...8, type: type)
    case .rebuildParameter:
      guard arguments.count == 3, case .object(let index) = arguments[0],
        case .tensor = objects[index]
      else { throw fault("a parameter that wraps no tensor, at byte \(position)") }
      stack.append(arguments[0])
    case .size:
      guard arguments.count == 1 else { throw fault("torch.Size with wrong arguments") }
      try push(.tuple(try integers(arguments[0]).map { .int($0) }))
    case .storage, .untypedStorage, .elementType:
      throw fault("a call of a type, at byte \(position)")
    }
  }

  /// Arguments: storage, offset in elements, shape, strides, then what carries no data.
  private mutating func tensor(
    _ arguments: [PickleValue],
    counts: ClosedRange<Int>,
    type: ElementType? = nil,
  ) throws(CheckpointError) {
    guard counts.contains(arguments.count), case .object(let index) = arguments[0],
      case .storage(let storage) = objects[index], case .int(let offset) = arguments[1],
      let elementType = type ?? storage.type
    else { throw fault("a tensor with wrong arguments, at byte \(position)") }
    let shape = try integers(arguments[2])
    let strides = try integers(arguments[3])
    guard shape.count == strides.count, shape.count <= Self.maxRank else {
      throw fault("a tensor of shape \(shape) and strides \(strides), at byte \(position)")
    }
    let tensor = PickleTensor(
      storage: storage,
      type: elementType,
      offset: offset,
      shape: shape,
      strides: strides,
    )
    try push(.tensor(tensor))
  }

  /// State set on a dictionary carries only version numbers of layers; it is dropped.
  private mutating func build() throws(CheckpointError) {
    _ = try pop()
    guard case .dictionary = objects[try topObject()] else {
      throw fault("state set on something that is no dictionary, at byte \(position)")
    }
  }

  private func tuple(_ value: PickleValue) throws(CheckpointError) -> [PickleValue] {
    guard case .object(let index) = value, case .tuple(let items) = objects[index] else {
      throw fault("a tuple is expected before byte \(position)")
    }
    return items
  }

  private func integers(_ value: PickleValue) throws(CheckpointError) -> [Int] {
    var result: [Int] = []
    for item in try tuple(value) {
      guard case .int(let number) = item else {
        throw fault("a tuple of whole numbers is expected before byte \(position)")
      }
      result.append(number)
    }
    return result
  }
}
