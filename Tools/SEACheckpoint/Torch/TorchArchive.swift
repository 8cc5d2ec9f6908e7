// SPDX-License-Identifier: Apache-2.0
// The tensors of a torch .bin file, found and checked without running anything in it.

internal import SEAFormat
package import SEATensor

/// A state dictionary saved by torch, mapped and described.
///
/// Every tensor is checked against the archive before it is offered: its storage is a member of the
/// right size and all its elements lie inside. Tensors may share a storage, as tied weights do.
///
/// - Source: reference.md D.5.
package struct TorchArchive: Sendable {
  /// One tensor: a view by strides on a storage.
  package struct Tensor: Sendable {
    package let name: String
    package let type: ElementType
    package let shape: [Int]
    /// Distance between neighbours along each axis, in elements.
    package let strides: [Int]
    /// First element, counted in elements from the start of the storage.
    package let offset: Int
    /// Where the storage lies in the file.
    package let storage: Range<Int>
  }

  /// The file, kept mapped.
  package let file: MappedFile
  /// The tensors in the order of the dictionary.
  package let tensors: [Tensor]
  /// Keys of the outer dictionary that hold no weights (training state), which are not read.
  package let ignored: [String]

  /// Elements a broadcast (stride 0) tensor may have beyond its storage.
  private static let maxBroadcast = 1 << 24
  /// Keys under which training programs put the state dictionary.
  private static let wrappers = ["state_dict", "model", "module"]

  /// Maps and checks the file at `path`.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - verifyStorages: also compare every storage with its CRC-32, which reads the whole file.
  /// - Throws: `CheckpointError`; names that are not plain tensors are `refusedImport`.
  package init(path: String, verifyStorages: Bool = false) throws(CheckpointError) {
    let file: MappedFile
    do { file = try MappedFile(path: path) } catch { throw .file(error) }
    try self.init(file, verifyStorages: verifyStorages)
  }

  /// Checks an already mapped file.
  ///
  /// - Throws: `CheckpointError`, as the other initialiser does.
  package init(_ file: MappedFile, verifyStorages: Bool = false) throws(CheckpointError) {
    let path = file.path
    if case .other(let what) = WeightsFileKind(file.bytes) {
      throw .malformed(path: path, problem: what)
    }
    let archive = try ZipArchive(file.bytes, path: path)
    let members = TorchMembers(archive)
    let pickle = try members.pickle(path: path)
    guard pickle.payload.count <= PickleReader.maxBytes else {
      throw .malformed(
        path: path,
        problem: "data.pkl has \(pickle.payload.count) bytes, the limit is \(PickleReader.maxBytes)",
      )
    }
    try archive.verify(pickle)
    try members.checkByteOrder(archive, path: path)
    let document = try PickleReader.read(archive.bytes(of: pickle).array(), path: path)
    let dictionary = try StateDictionary(document, path: path, wrappers: Self.wrappers)

    var tensors: [Tensor] = []
    var names: Set<String> = []
    for entry in dictionary.tensors {
      guard TensorName.isPlain(entry.name) else {
        throw .malformed(path: path, problem: "tensor name \(entry.name.printable()) is not plain")
      }
      guard names.insert(entry.name).inserted else {
        throw .malformed(path: path, problem: "two tensors are named \(entry.name)")
      }
      tensors.append(try Self.check(entry.tensor, name: entry.name, members: members, path: path))
    }
    if verifyStorages {
      for member in archive.members { try archive.verify(member) }
    }
    self.file = file
    self.tensors = tensors
    self.ignored = dictionary.ignored
  }

  /// Holds a pickled tensor against the bytes it claims.
  private static func check(
    _ tensor: PickleTensor,
    name: String,
    members: TorchMembers,
    path: String,
  ) throws(CheckpointError) -> Tensor {
    func fault(_ problem: String) -> CheckpointError {
      .badTensor(path: path, tensor: name, problem: problem)
    }
    let storage = tensor.storage
    guard let member = members.storage(storage.key) else {
      throw fault("storage \(storage.key.printable()) is not in the archive")
    }
    let (bytes, tooLarge) = storage.count.multipliedReportingOverflow(by: storage.type?.size ?? 1)
    guard !tooLarge, bytes == member.payload.count else {
      throw fault(
        "its storage of \(storage.count) elements has \(member.payload.count) bytes in the archive"
      )
    }
    guard storage.type == nil || storage.type == tensor.type else {
      throw fault("its type \(tensor.type.rawValue) is not that of its storage")
    }
    let capacity = bytes / tensor.type.size
    guard let extent = StridedExtent(shape: tensor.shape, strides: tensor.strides) else {
      throw fault("shape \(tensor.shape) with strides \(tensor.strides) is negative or too large")
    }
    guard !extent.overlaps else {
      throw fault("shape \(tensor.shape) with strides \(tensor.strides) overlaps itself")
    }
    guard extent.count <= max(capacity, Self.maxBroadcast) else {
      throw fault("\(extent.count) elements are repeated from a storage of \(capacity)")
    }
    let (end, overflow) = tensor.offset.addingReportingOverflow(extent.reach)
    guard tensor.offset >= 0, !overflow, end <= capacity else {
      throw fault(
        "elements \(tensor.offset) to \(tensor.offset &+ extent.reach) lie outside its storage of "
          + "\(capacity)"
      )
    }
    return Tensor(
      name: name,
      type: tensor.type,
      shape: tensor.shape,
      strides: tensor.strides,
      offset: tensor.offset,
      storage: member.payload,
    )
  }
}

/// The parts of a torch archive, found by their names below its root folder.
private struct TorchMembers {
  private let byName: [[UInt8]: ZipArchive.Member]
  private let pickles: [ZipArchive.Member]
  private let isProgram: Bool

  init(_ archive: ZipArchive) {
    var byName: [[UInt8]: ZipArchive.Member] = [:]
    var pickles: [ZipArchive.Member] = []
    var isProgram = false
    for member in archive.members {
      let parts = member.name.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1)
      guard parts.count == 2 else { continue }
      // The root's name is arbitrary; only one root with a data.pkl is accepted below.
      byName[Array(parts[1])] = member
      if parts[1].elementsEqual("data.pkl".utf8) { pickles.append(member) }
      if parts[1].elementsEqual("constants.pkl".utf8) { isProgram = true }
    }
    self.byName = byName
    self.pickles = pickles
    self.isProgram = isProgram
  }

  func pickle(path: String) throws(CheckpointError) -> ZipArchive.Member {
    guard !isProgram else {
      throw .torchScript(path: path)
    }
    guard let pickle = pickles.first, pickles.count == 1 else {
      throw .malformed(
        path: path,
        problem: "\(pickles.count) members named data.pkl, a torch file has one",
      )
    }
    return pickle
  }

  func storage(_ key: String) -> ZipArchive.Member? {
    byName[Array("data/".utf8) + Array(key.utf8)]
  }

  func checkByteOrder(_ archive: ZipArchive, path: String) throws(CheckpointError) {
    guard let member = byName[Array("byteorder".utf8)] else { return }
    guard archive.bytes(of: member).array().elementsEqual("little".utf8) else {
      throw .unsupported(path: path, what: "a file written on a big-endian machine")
    }
  }
}

extension CheckpointError {
  /// The refusal of a file that holds a program beside its weights.
  static func torchScript(path: String) -> CheckpointError {
    .unsupported(
      path: path,
      what: "a TorchScript program; save its weights alone: "
        + "torch.save(torch.jit.load(FILE, \"cpu\").state_dict(), \"model.bin\")",
    )
  }
}
