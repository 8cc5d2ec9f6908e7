// SPDX-License-Identifier: Apache-2.0
// A regular file mapped read-only.

import Glibc

/// A file's bytes, mapped read-only and shared with the page cache; immutable until `deinit`.
///
/// The file stays open, so that whatever happens to its path, questions about it are answered for the
/// bytes that are mapped.
@safe package final class MappedFile: @unchecked Sendable {
  // Bytes and descriptor are only read after `init`.

  /// The path as given.
  package let path: String

  /// File size in bytes.
  package let count: Int

  private let descriptor: Int32
  private let base: UnsafeMutableRawPointer?

  private static let largePage = 2 << 20

  /// Maps the file at `path`; a large one at an address that suits huge pages.
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
    do throws(FileError) {
      let size = try Self.size(of: descriptor, path: path)
      unsafe base = size > 0 ? try Self.map(descriptor, size: size, path: path) : nil
      count = size
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    if let base = unsafe base { unsafe munmap(base, count) }
    close(descriptor)
  }

  private static func size(of descriptor: Int32, path: String) throws(FileError) -> Int {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .from(path: path, operation: "read", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
    guard let size = Int(exactly: status.st_size), size >= 0 else {
      throw .system(path: path, operation: "map", code: EFBIG)
    }
    return size
  }

  @unsafe private static func map(
    _ descriptor: Int32,
    size: Int,
    path: String
  ) throws(FileError) -> UnsafeMutableRawPointer {
    let hint = unsafe size >= largePage ? reserve(size) : nil
    let flags = unsafe MAP_SHARED | (hint == nil ? 0 : MAP_FIXED)
    let address = unsafe mmap(hint, size, PROT_READ, flags, descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      let code = errno
      if let hint = unsafe hint { unsafe munmap(hint, size) }
      throw .from(path: path, operation: "map", code: code)
    }
    // What is not cached yet is then read 2 MiB at a time, into pages that are mapped as such.
    if unsafe hint != nil { unsafe madvise(address, size, MADV_HUGEPAGE) }
    return unsafe address
  }

  /// Addresses for `size` bytes that start at a multiple of 2 MiB; nil: they cannot be had.
  @unsafe private static func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let (room, overflow) = size.addingReportingOverflow(largePage + page)
    guard !overflow else { return nil }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let start = unsafe mmap(nil, room, PROT_NONE, flags, -1, 0)
    guard let start = unsafe start, unsafe start != MAP_FAILED else { return nil }
    let skip = (largePage - Int(bitPattern: start) % largePage) % largePage
    let used = skip + (size + page - 1) / page * page
    if skip > 0 { unsafe munmap(start, skip) }
    if room > used { unsafe munmap(start + used, room - used) }
    return unsafe start + skip
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

  /// Refuses to go on with a file that has become shorter than its mapping.
  ///
  /// Bytes past the new end read as zeros up to the end of a page, and fault beyond it.
  ///
  /// - Throws: `FileError.shrunk`.
  /// - Complexity: one system call.
  package func checkIntact() throws(FileError) {
    let size = try Self.size(of: descriptor, path: path)
    guard size >= count else { throw .shrunk(path: path, expected: count, found: size) }
  }

  /// Bytes of the mapping that lie in huge pages of the page cache; 0 where the system does not tell.
  package var hugePageBytes: Int {
    guard let base = unsafe base else { return 0 }
    let own = UInt(bitPattern: base)..<UInt(bitPattern: base) + UInt(count)
    var isOwn = false
    var kilobytes = 0
    for line in SystemFile.lines(of: "/proc/self/smaps") {
      let fields = line.split(separator: " ")
      guard let label = fields.first else { continue }
      if !label.hasSuffix(":") {
        isOwn =
          label.split(separator: "-").first.flatMap { UInt($0, radix: 16) }
          .map(own.contains) ?? false
      } else if isOwn, label == "FilePmdMapped:", fields.count > 1 {
        kilobytes += Int(fields[1]) ?? 0
      }
    }
    return kilobytes * 1024
  }
}
