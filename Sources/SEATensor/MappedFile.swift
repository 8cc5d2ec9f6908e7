// SPDX-License-Identifier: Apache-2.0
// A regular file mapped read-only.

import Glibc

/// A file's bytes, mapped read-only and shared with the page cache; immutable until `deinit`.
@safe package final class MappedFile: @unchecked Sendable {
  /// The path as given.
  package let path: String

  /// File size in bytes.
  package let count: Int

  private let base: UnsafeMutableRawPointer?

  /// Maps the file at `path`.
  ///
  /// Pipes, folders, sockets and devices are refused before they are opened for reading, so the call
  /// cannot hang.
  ///
  /// - Throws: `FileError` when the file is missing, unreadable or not regular.
  package init(path: String) throws(FileError) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      throw .from(path: path, operation: "open", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .from(path: path, operation: "open", code: errno) }
    defer { close(descriptor) }
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .from(path: path, operation: "read", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
    guard let size = Int(exactly: status.st_size), size >= 0 else {
      throw .system(path: path, operation: "map", code: EFBIG)
    }
    self.path = path
    count = size
    guard size > 0 else {
      unsafe base = nil
      return
    }
    let address = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw .from(path: path, operation: "map", code: errno)
    }
    unsafe base = address
  }

  deinit {
    if let base = unsafe base { unsafe munmap(base, count) }
  }

  /// All bytes of the file; the view keeps the mapping alive.
  package var bytes: ByteView {
    guard let base = unsafe base else { return ByteView([]) }
    return unsafe ByteView(
      owner: self,
      base: UnsafePointer(base.assumingMemoryBound(to: UInt8.self)),
      count: count
    )
  }

  /// Gives the whole pages inside `range` back to the system; they are read again when touched.
  package func release(_ range: Range<Int>) {
    guard let base = unsafe base else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let lower = max(range.lowerBound, 0)
    let upper = min(range.upperBound, count)
    let first = (lower + page - 1) / page * page
    // The tail of the last page belongs to nobody else.
    let last = upper == count ? count : upper / page * page
    guard first < last else { return }
    unsafe madvise(base + first, last - first, MADV_DONTNEED)
  }

  /// True when the file is still as long as it was when it was mapped.
  package var isIntact: Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && Int(status.st_size) >= count
  }
}
