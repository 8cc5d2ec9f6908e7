// SPDX-License-Identifier: Apache-2.0
// Views, buffers and mapped files.

import Foundation
import SEATensor
import Testing

@Suite struct MemoryTests {
  /// A file that is removed with the test.
  final class TemporaryFile {
    let path: String

    init(_ bytes: [UInt8]) throws {
      path = NSTemporaryDirectory() + "sea-tensor-\(UUID().uuidString)"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  @Test func byteViewsReadUnalignedLittleEndianNumbers() {
    let view = ByteView([0xFF, 0x01, 0x02, 0x03, 0x84])
    #expect(view.count == 5 && !view.isEmpty && view[4] == 0x84)
    #expect(view.loadLittleEndian(at: 1, as: UInt32.self) == 0x8403_0201)
    #expect(view.loadLittleEndian(at: 1, as: Int32.self) == Int32(bitPattern: 0x8403_0201))
    #expect(view.loadLittleEndian(at: 3, as: UInt16.self) == 0x8403)
    #expect(view.slice(1..<4).array() == [1, 2, 3])
    #expect(view.slice(1..<4).slice(1..<3).array() == [2, 3])
    #expect(view.slice(5..<5).isEmpty)
  }

  @Test func byteViewsKeepTheirMemoryAlive() {
    var slice = ByteView([0])
    do {
      let whole = ByteView((0..<100).map { UInt8($0) })
      slice = whole.slice(40..<60)
    }
    #expect(slice.array() == (40..<60).map { UInt8($0) })
    #expect(ByteView((0..<100).map { UInt8($0) }).isAligned(to: 64))
  }

  @Test func mappedFilesShowTheirBytes() throws {
    let bytes = (0..<10_000).map { UInt8($0 % 251) }
    let file = try TemporaryFile(bytes)
    let mapped = try MappedFile(path: file.path)
    #expect(mapped.count == bytes.count && mapped.bytes.array() == bytes)
    try mapped.checkIntact()
    mapped.release(0..<mapped.count)
    #expect(mapped.bytes.array() == bytes)
    mapped.release(-5..<20_000)
    #expect(mapped.bytes[9_999] == bytes[9_999])
    let view = mapped.bytes.slice(100..<110)
    #expect(view.array() == Array(bytes[100..<110]))
  }

  @Test func emptyFilesMapToNothing() throws {
    let file = try TemporaryFile([])
    let mapped = try MappedFile(path: file.path)
    #expect(mapped.isEmptyFile)
    mapped.release(0..<10)
  }

  @Test func onlyRegularFilesAreMapped() throws {
    #expect(throws: FileError.missing(path: "/nonexistent/file")) {
      _ = try MappedFile(path: "/nonexistent/file")
    }
    #expect(throws: FileError.notRegular(path: "/tmp")) { _ = try MappedFile(path: "/tmp") }
    #expect(throws: FileError.notRegular(path: "/dev/zero")) {
      _ = try MappedFile(path: "/dev/zero")
    }
    let pipe = NSTemporaryDirectory() + "sea-pipe-\(UUID().uuidString)"
    #expect(mkfifo(pipe, 0o600) == 0)
    defer { unlink(pipe) }
    #expect(throws: FileError.notRegular(path: pipe)) { _ = try MappedFile(path: pipe) }
  }

  @Test(arguments: [0, 1, 63, 64, 65, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 9 << 20])
  func buffersAreZeroedAndAligned(size: Int) throws {
    let buffer = try AlignedBuffer(byteCount: size)
    #expect(buffer.byteCount == size)
    let row = buffer.matrix(of: UInt8.self, rows: 1, columns: size)
    #expect(row.array().allSatisfy { $0 == 0 })
    row.fill(7)
    #expect(row.array().allSatisfy { $0 == 7 })
    #expect(buffer.bytes.isAligned(to: size >= 2 << 20 ? 2 << 20 : 64))
  }

  @Test func absurdSizesAreRefused() {
    #expect(throws: FileError.self) { _ = try AlignedBuffer(byteCount: Int.max - 10) }
    #expect(throws: FileError.self) { _ = try AlignedBuffer(byteCount: 1 << 60) }
    #expect(throws: FileError.outOfMemory(bytes: Int.max)) {
      _ = try MatrixView<Float>(rows: Int.max / 2, columns: 3)
    }
  }

  @Test func buffersTakeCopiesOfBytes() throws {
    let source = ByteView((0..<100).map { UInt8($0) })
    let buffer = try AlignedBuffer(byteCount: 128)
    var copied: [Range<Int>] = []
    buffer.fill(from: source) { copied.append($0) }
    #expect(buffer.bytes.slice(0..<100).array() == source.array() && copied == [0..<100])
    #expect(buffer.bytes[100] == 0)
  }

  @Test func matricesShareMemoryWithTheirParts() throws {
    let matrix = try MatrixView((0..<12).map { Float($0) }, columns: 4)
    #expect(matrix.rows == 3 && matrix.columns == 4 && matrix.stride == 4)
    let part = matrix.rows(1..<3).columns(1..<3)
    #expect(part.array() == [5, 6, 9, 10] && part.stride == 4)
    part[1, 0] = 90
    #expect(matrix[2, 1] == 90)
    part.fill(-1)
    #expect(matrix.array() == [0, 1, 2, 3, 4, -1, -1, 7, 8, -1, -1, 11])
    part.copy(from: [1, 2, 3, 4])
    #expect(matrix.rows(1..<2).array() == [4, 1, 2, 7])
    let other = try MatrixView<Float>(rows: 2, columns: 2)
    other.copy(from: part)
    #expect(other.array() == [1, 2, 3, 4])
    let sum = matrix.withRow(2) { (row: consuming MutableSpan<Float>) in
      var sum: Float = 0
      for index in row.indices { sum += row[index] }
      return sum
    }
    #expect(sum == 8 + 3 + 4 + 11)
    #expect(matrix.rows(3..<3).array().isEmpty)
  }

  @Test func weightsRefuseBytesThatDoNotFit() throws {
    let bytes = ByteView([UInt8](repeating: 0, count: 4224))
    #expect(PackedMatrix.byteCount(rows: 5, columns: 100, group: 128) == 4224)
    #expect(throws: WeightError.size(expected: 4224, found: 4160)) {
      _ = try PackedMatrix(bytes.slice(0..<4160), rows: 5, columns: 100, group: 128)
    }
    #expect(throws: WeightError.shape(rows: 5, columns: 100, group: 48)) {
      _ = try PackedMatrix(bytes, rows: 5, columns: 100, group: 48)
    }
    let longer = ByteView([UInt8](repeating: 0, count: 4225))
    #expect(throws: WeightError.alignment(64)) {
      _ = try PackedMatrix(longer.slice(1..<4225), rows: 5, columns: 100, group: 128)
    }
    #expect(PackedMatrix.byteCount(rows: Int.max, columns: Int.max, group: 128) == nil)
    #expect(PackedFormat.int4.byteCount(rows: 5, columns: 100) == 2176)
    #expect(PackedFormat.int4.byteCount(rows: 33, columns: 129) == 4 * 2176)
    for (rows, columns) in [(0, 5), (5, 0), (-1, 5), (Int.max, Int.max), (Int.max, 1)] {
      #expect(PackedFormat.int4.byteCount(rows: rows, columns: columns) == nil)
    }
    #expect(throws: WeightError.size(expected: 2176, found: 2112)) {
      _ = try PackedMatrix(bytes.slice(0..<2112), rows: 5, columns: 100, format: .int4)
    }
    #expect(throws: WeightError.shape(rows: 0, columns: 100, group: 128)) {
      _ = try PackedMatrix(bytes, rows: 0, columns: 100, format: .int4)
    }
    #expect(throws: WeightError.size(expected: 8, found: 4)) {
      _ = try PlainMatrix(bytes.slice(0..<4), rows: 2, columns: 2, storage: .bfloat16)
    }
    #expect(throws: WeightError.alignment(4)) {
      _ = try FloatVector(bytes.slice(2..<10), count: 2)
    }
    #expect(throws: WeightError.size(expected: Int.max, found: 4)) {
      _ = try FloatVector(bytes.slice(0..<4), count: Int.max)
    }
    let vector = FloatVector([1, 2, 3, 4])
    #expect(vector[2] == 3 && vector.slice(1..<3)[1] == 3 && vector.slice(1..<3).count == 2)
  }
}

extension MappedFile {
  fileprivate var isEmptyFile: Bool { count == 0 && bytes.isEmpty }
}
