// SPDX-License-Identifier: Apache-2.0
// An answer file that grows line by line, survives interruption, and gets its name when it is complete.

internal import Glibc
internal import SEAFormat
internal import SEATensor

/// Appends lines to `path.partial` and renames it to `path` at the end.
///
/// Lines are brought to the disk every few answers; after a crash a line that was cut is dropped.
package final class AnswerLog {
  /// The path of the complete file.
  package let path: String
  /// Answers that were there already.
  package let found: [AnswerRecord]

  private let partial: String
  private var descriptor: Int32
  private var unsynced = 0
  private var isEmpty = true

  /// Lines between two syncs: what an interruption of the power may cost.
  private static let syncInterval = 16

  /// Opens the file.
  ///
  /// - Parameters:
  ///   - path: of the complete file.
  ///   - resumes: keep what an earlier run has answered.
  /// - Throws: `EvaluatorError.usage` when an unfinished file is there and is not to be continued,
  ///   `.format(.busy)` when another process writes it, `.record` when it holds something else.
  package init(path: String, resumes: Bool) throws(EvaluatorError) {
    let partial = path + ".partial"
    let hasPartial = unsafe access(partial, F_OK) == 0
    guard resumes || !hasPartial else {
      throw .usage(
        "\(partial.printable(limit: 4096)): an unfinished run is there: --resume continues it, "
          + "or remove it to begin again"
      )
    }
    var bytes: [UInt8] = []
    if resumes {
      let source = hasPartial ? partial : path
      do throws(FileError) {
        bytes = try MappedFile(path: source).bytes.array()
      } catch {
        guard case .missing = error else { throw .file(error) }
      }
    }
    let whole = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let kept = Array(bytes[..<whole])
    found = try Self.records(kept, path: hasPartial ? partial : path)

    let descriptor = unsafe open(partial, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw .file(.from(path: partial, operation: "create", code: errno))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw .format(.busy(path: path))
    }
    self.path = path
    self.partial = partial
    self.descriptor = descriptor
    if hasPartial {
      isEmpty = whole == 0
      guard ftruncate(descriptor, off_t(whole)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
        throw fail("write", errno)
      }
    } else {
      guard ftruncate(descriptor, 0) == 0 else { throw fail("write", errno) }
      try write(kept)
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    // A run that failed before its first answer leaves nothing to continue.
    if isEmpty { unsafe unlink(partial) }
    close(descriptor)
  }

  /// Appends an answer.
  ///
  /// - Throws: `EvaluatorError.file`; earlier answers stay.
  package func append(_ record: AnswerRecord) throws(EvaluatorError) {
    try write(Array((JSONValue.object(record.fields).serialized() + "\n").utf8))
    unsynced += 1
    if unsynced >= Self.syncInterval { try flush() }
  }

  /// Brings all answers to the disk.
  ///
  /// - Throws: `EvaluatorError.file`.
  package func flush() throws(EvaluatorError) {
    guard unsynced > 0 else { return }
    guard fsync(descriptor) == 0 else { throw fail("write", errno) }
    unsynced = 0
  }

  /// Gives the file its name.
  ///
  /// - Throws: `EvaluatorError.file`.
  package func finish() throws(EvaluatorError) {
    guard fsync(descriptor) == 0 else { throw fail("write", errno) }
    guard unsafe rename(partial, path) == 0 else { throw fail("replace", errno) }
    close(descriptor)
    descriptor = -1
    do throws(FormatError) {
      try AtomicFile.syncFolder(of: path)
    } catch {
      throw .format(error)
    }
  }

  private static func records(
    _ bytes: [UInt8],
    path: String
  ) throws(EvaluatorError) -> [AnswerRecord] {
    var records: [AnswerRecord] = []
    for (index, value) in try DataFile.lines(bytes, path: path).enumerated() {
      records.append(try AnswerRecord(value, path: path, line: index + 1))
    }
    return records
  }

  private func write(_ bytes: [UInt8]) throws(EvaluatorError) {
    if !bytes.isEmpty { isEmpty = false }
    var done = 0
    while done < bytes.count {
      // The kernel reads at most the bytes of the array.
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(
          descriptor,
          buffer.baseAddress.map { unsafe $0 + done },
          buffer.count - done
        )
      }
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw fail("write", count == 0 ? ENOSPC : errno)
      }
    }
  }

  private func fail(_ operation: String, _ code: Int32) -> EvaluatorError {
    .file(.from(path: partial, operation: operation, code: code))
  }
}
