// SPDX-License-Identifier: Apache-2.0
// A file that appears under its name complete, or not at all.

import Glibc
import SEATensor

/// Writes `name.tmp.PID` beside the target and renames it when everything is on the disk.
///
/// Until `commit` an existing file keeps its content; when the writer goes away without a commit,
/// the temporary file goes too. A temporary file left by a process that was killed is removed by
/// the next writer of the same name.
package final class AtomicFile {
  /// The path as given.
  package let path: String

  /// Where the rename goes: `path` with a link at its end followed.
  private let target: String
  private let temporary: String
  private var descriptor: Int32
  private var buffer: [UInt8] = []
  /// Bytes handed to the system; the buffer holds what follows.
  private var flushed = 0

  /// Bytes of one write.
  ///
  /// Files written in small pieces never get huge pages in the page cache.
  private static let chunk = 4 << 20

  /// Creates the temporary file.
  ///
  /// - Throws: `FormatError.outputRefused` when the path is a folder or a device, `.busy` when
  ///   another writer is at work on the same name, `.file` when the system refuses.
  package init(path: String) throws(FormatError) {
    let (target, mode) = try Self.resolve(path)
    let temporary = "\(target).tmp.\(getpid())"
    Self.removeStaleFiles(besides: target)
    let descriptor = unsafe open(
      temporary,
      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
      mode ?? 0o666
    )
    guard descriptor >= 0 else {
      guard errno != EEXIST else { throw .busy(path: path) }
      let folder = errno == ENOENT ? Self.split(target).folder : path
      throw .file(.from(path: folder, operation: "create", code: errno))
    }
    // The lock tells later writers that this file is not a leftover; it ends with the process.
    _ = flock(descriptor, LOCK_EX | LOCK_NB)
    if let mode { _ = fchmod(descriptor, mode) }
    self.path = path
    self.target = target
    self.temporary = temporary
    self.descriptor = descriptor
  }

  deinit {
    discard()
  }

  // MARK: - Writing

  /// Bytes written so far.
  package var count: Int {
    flushed + buffer.count
  }

  /// Appends `bytes`.
  ///
  /// - Throws: `FormatError.file` when the disk is full or fails; the temporary file is removed.
  package func write(_ bytes: RawSpan) throws(FormatError) {
    var rest = bytes
    if !buffer.isEmpty {
      let room = min(Self.chunk - buffer.count, rest.byteCount)
      fill(rest.extracting(first: room))
      rest = rest.extracting(droppingFirst: room)
      if buffer.count == Self.chunk { try flush() }
    }
    if rest.byteCount >= Self.chunk {
      let whole = rest.byteCount / Self.chunk * Self.chunk
      try put(rest.extracting(first: whole), at: flushed)
      flushed += whole
      rest = rest.extracting(droppingFirst: whole)
    }
    fill(rest)
  }

  /// Appends `bytes`.
  ///
  /// - Throws: `FormatError.file`.
  package func write(_ bytes: [UInt8]) throws(FormatError) {
    try unsafe write(bytes.span.bytes)
  }

  /// Replaces bytes written before.
  ///
  /// - Throws: `FormatError.file`.
  /// - Precondition: the replaced bytes lie within what was written.
  package func overwrite(_ bytes: [UInt8], at offset: Int) throws(FormatError) {
    precondition(offset >= 0 && bytes.count <= count - offset, "only written bytes can be replaced")
    try flush()
    try unsafe put(bytes.span.bytes, at: offset)
  }

  /// Makes sure that `bytes` more bytes fit on the disk as it is now.
  ///
  /// - Throws: `FormatError.file` with the code for a full disk, before anything is written.
  package func requireSpace(_ bytes: Int) throws(FormatError) {
    var status = statvfs()
    guard unsafe fstatvfs(descriptor, &status) == 0 else { return }
    let (free, overflow) = UInt64(status.f_bavail)
      .multipliedReportingOverflow(by: UInt64(status.f_frsize))
    guard !overflow, free > 0 || status.f_blocks > 0, UInt64(max(bytes, 0)) > free else { return }
    throw fail("write", ENOSPC)
  }

  /// Puts everything on the disk and gives the file its name.
  ///
  /// The order is what makes it safe against power loss: content, length check, name, folder.
  ///
  /// - Throws: `FormatError.file`; before the rename the previous file is untouched.
  /// - Precondition: called once.
  package func commit() throws(FormatError) {
    precondition(descriptor >= 0, "\(path) was committed or has failed")
    try flush()
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw fail("check", errno) }
    guard Int(status.st_size) == count else { throw fail("write", EIO) }
    guard fsync(descriptor) == 0 else { throw fail("write", errno) }
    guard unsafe rename(temporary, target) == 0 else { throw fail("replace", errno) }
    close(descriptor)
    descriptor = -1
    try Self.syncFolder(of: target)
  }

  /// Gives up: removes the temporary file.
  package func discard() {
    guard descriptor >= 0 else { return }
    unsafe unlink(temporary)
    close(descriptor)
    descriptor = -1
    buffer = []
  }

  // MARK: - Pieces

  private func fill(_ bytes: RawSpan) {
    guard !bytes.isEmpty else { return }
    if buffer.isEmpty { buffer.reserveCapacity(Self.chunk) }
    // One copy of a bounded run of bytes; the pointer does not outlive the call.
    unsafe bytes.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
  }

  private func flush() throws(FormatError) {
    guard !buffer.isEmpty else { return }
    var full: [UInt8] = []
    swap(&full, &buffer)
    try unsafe put(full.span.bytes, at: flushed)
    flushed += full.count
    full.removeAll(keepingCapacity: true)
    swap(&full, &buffer)
  }

  private func put(_ bytes: RawSpan, at offset: Int) throws(FormatError) {
    precondition(descriptor >= 0, "\(path) was committed or has failed")
    var done = 0
    while done < bytes.byteCount {
      // The kernel reads at most the bytes of the span.
      let written = unsafe bytes.withUnsafeBytes { source in
        unsafe pwrite(
          descriptor,
          source.baseAddress.map { unsafe $0 + done },
          source.count - done,
          off_t(offset + done)
        )
      }
      if written > 0 {
        done += written
      } else if written == 0 || errno != EINTR {
        throw fail("write", written == 0 ? ENOSPC : errno)
      }
    }
  }

  /// Removes the temporary file and describes the failure.
  private func fail(_ operation: String, _ code: Int32) -> FormatError {
    discard()
    return .file(.from(path: path, operation: operation, code: code))
  }
}
