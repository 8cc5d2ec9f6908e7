// SPDX-License-Identifier: Apache-2.0
// One weights file of either kind, as source tensors.

internal import SEAFormat
internal import SEATensor

/// The tensors of one file, recognised by its content.
package struct WeightFile: Sendable {
  package let path: String
  package let tensors: [SourceTensor]
  /// What the file holds beside tensors and is passed over.
  package let notes: [String]

  /// Bytes of a header that is read again to explain a truncated file.
  private static let maxExplainedHeader = 16 << 20

  /// Maps and checks the file at `path`, whatever its name ends in.
  ///
  /// - Throws: `CheckpointError`.
  package init(path: String) throws(CheckpointError) {
    let file: MappedFile
    do { file = try MappedFile(path: path) } catch { throw .file(error) }
    self.path = path
    if WeightsFileKind(file.bytes) == .safetensors
      || path.utf8.suffix(12).elementsEqual(Self.suffix)
    {
      tensors = try Self.safetensors(file)
      notes = []
    } else {
      let archive = try TorchArchive(file)
      tensors = archive.tensors.map { SourceTensor($0, file: file) }
      notes = archive.ignored.map { "\(path): key \($0.printable()) holds no weights" }
    }
  }

  private static let suffix = Array(".safetensors".utf8)

  private static func safetensors(_ file: MappedFile) throws(CheckpointError) -> [SourceTensor] {
    let opened: SafetensorsFile
    do {
      opened = try SafetensorsFile(path: file.path)
    } catch {
      throw truncation(file) ?? .format(error)
    }
    var tensors: [SourceTensor] = []
    for info in opened.tensors {
      guard TensorName.isPlain(info.name) else {
        throw .malformed(
          path: file.path,
          problem: "tensor name \(info.name.printable()) is not plain",
        )
      }
      tensors.append(
        SourceTensor(
          name: info.name,
          type: info.type,
          shape: info.shape,
          range: info.range,
          file: opened.mapping,
        )
      )
    }
    return tensors
  }

  /// The error for a file that ends before its last tensor does, which is what a broken download
  /// looks like; nil when the file is wrong in another way.
  private static func truncation(_ file: MappedFile) -> CheckpointError? {
    let bytes = file.bytes
    guard bytes.count >= 8,
      let length = Int(exactly: bytes.loadLittleEndian(at: 0, as: UInt64.self)),
      length <= maxExplainedHeader, length <= bytes.count - 8,
      let header = try? JSONScanner.parse(bytes.slice(8..<8 + length).array())
    else { return nil }
    var expected = 0
    for entry in header.object?.entries ?? [] {
      guard let end = entry.value["data_offsets"]?.array?.last?.int else { continue }
      expected = max(expected, end)
    }
    let (total, overflow) = expected.addingReportingOverflow(8 + length)
    guard !overflow, total > bytes.count else { return nil }
    return .truncated(path: file.path, expected: total, found: bytes.count)
  }
}
