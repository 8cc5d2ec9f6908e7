// SPDX-License-Identifier: Apache-2.0
// Zeroed, aligned memory with one owner.

import Glibc

/// Zero-filled memory, aligned to 64 bytes, or to 2 MiB when it is large.
@safe package final class AlignedBuffer: @unchecked Sendable {
  // Who may write is decided by the views' holders: a forward pass has one owner, and the worker pool
  // gives each worker rows of its own.
  let base: UnsafeMutableRawPointer

  /// Bytes that can be used.
  package let byteCount: Int

  private let mappedBytes: Int

  private static let largePage = 2 << 20

  /// Allocates `byteCount` zero bytes; large memory takes room as it is touched.
  ///
  /// - Parameters:
  ///   - byteCount: size.
  ///   - growsInSmallPages: what is touched of large memory takes pages of 4 KiB, not of 2 MiB, until
  ///     `makeHuge` says otherwise.
  /// - Throws: `FileError.outOfMemory`.
  package init(byteCount: Int, growsInSmallPages: Bool = false) throws(FileError) {
    precondition(byteCount >= 0, "negative size \(byteCount)")
    self.byteCount = byteCount
    guard byteCount >= Self.largePage else {
      let size = (max(byteCount, 1) + 63) / 64 * 64
      var memory: UnsafeMutableRawPointer?
      guard unsafe posix_memalign(&memory, 64, size) == 0, let memory = unsafe memory else {
        throw .outOfMemory(bytes: byteCount)
      }
      unsafe memset(memory, 0, size)
      unsafe base = memory
      mappedBytes = 0
      return
    }
    let (size, overflow) = byteCount.addingReportingOverflow(Self.largePage)
    guard !overflow else { throw .outOfMemory(bytes: byteCount) }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let mapped = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw .outOfMemory(bytes: byteCount)
    }
    // Huge pages need a 2 MiB-aligned start: trim the slack on both sides.
    let skip = (Self.largePage - Int(bitPattern: mapped) % Self.largePage) % Self.largePage
    if skip > 0 { unsafe munmap(mapped, skip) }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let used = (byteCount + page - 1) / page * page
    if size - skip - used > 0 { unsafe munmap(mapped + skip + used, size - skip - used) }
    unsafe base = mapped + skip
    mappedBytes = used
    unsafe madvise(base, used, growsInSmallPages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE)
  }

  /// Lays what is there of large memory, and what will be touched, into pages of 2 MiB where the system
  /// has them.
  package func makeHuge() {
    guard mappedBytes > 0 else { return }
    // Collapsing: Linux 6.1 and later; older ones do it in their own time.
    let collapse: Int32 = 25
    unsafe madvise(base, mappedBytes, MADV_HUGEPAGE)
    unsafe madvise(base, mappedBytes, collapse)
  }

  /// Bytes of large memory that take room now; small memory takes all of its own.
  package var residentBytes: Int {
    guard mappedBytes > 0 else { return byteCount }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    var pages = [UInt8](repeating: 0, count: (mappedBytes + page - 1) / page)
    let code = unsafe pages.withUnsafeMutableBufferPointer { flags in
      unsafe mincore(base, mappedBytes, flags.baseAddress)
    }
    guard code == 0 else { return byteCount }
    return pages.count { $0 & 1 != 0 } * page
  }

  deinit {
    if mappedBytes > 0 { unsafe munmap(base, mappedBytes) } else { unsafe free(base) }
  }

  /// A matrix that starts at byte `offset`.
  ///
  /// - Precondition: the matrix lies within the buffer and `offset` is aligned for `Element`.
  package func matrix<Element: BitwiseCopyable>(
    of type: Element.Type = Element.self,
    offset: Int = 0,
    rows: Int,
    columns: Int,
    stride: Int? = nil
  ) -> MatrixView<Element> {
    let stride = stride ?? columns
    precondition(rows >= 0 && columns >= 0 && stride >= columns && offset >= 0, "bad matrix shape")
    precondition(offset % MemoryLayout<Element>.alignment == 0, "offset \(offset) is not aligned")
    let elements = rows == 0 ? 0 : (rows - 1) * stride + columns
    precondition(
      offset + elements * MemoryLayout<Element>.stride <= byteCount,
      "matrix \(rows)×\(columns) at \(offset) exceeds \(byteCount) bytes"
    )
    return unsafe MatrixView(
      owner: self,
      base: (base + offset).assumingMemoryBound(to: Element.self),
      rows: rows,
      columns: columns,
      stride: stride
    )
  }
}
