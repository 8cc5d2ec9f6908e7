// SPDX-License-Identifier: Apache-2.0
// The few system calls of a run folder: a lock that dies with its owner, a log that grows by lines.

internal import FoundationEssentials
internal import Glibc
internal import SEAFormat
internal import SEATensor

/// A lock on a folder; the kernel gives it back however its owner ends.
final class RunLock {
  private let descriptor: Int32
  private static let name = "lock"

  /// Takes the lock of `folder`.
  ///
  /// A lock file whose owner is dead is taken over: its lock went with it.
  ///
  /// - Throws: `TrainerError.busy` naming the process that holds it.
  init(folder: String) throws(TrainerError) {
    let path = "\(folder)/\(Self.name)"
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else {
      throw .file(.from(path: path, operation: "create", code: errno))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let owner = Self.owner(descriptor)
      close(descriptor)
      throw .busy(path: folder, process: owner)
    }
    let bytes = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  private static func owner(_ descriptor: Int32) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
    }
    guard count > 0 else { return nil }
    return Int(String(decoding: bytes[..<count].prefix { $0 != 0x0a }, as: UTF8.self))
  }
}

/// A text file that grows by whole lines.
final class LineLog {
  private let path: String
  private let descriptor: Int32

  /// Opens the log for appending.
  ///
  /// - Throws: `TrainerError.file`.
  init(path: String) throws(TrainerError) {
    self.path = path
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw .file(.from(path: path, operation: "create", code: errno))
    }
  }

  deinit { close(descriptor) }

  /// Appends a line in one call, so that a reader never sees half of one unless the disk is full.
  ///
  /// - Throws: `TrainerError.file`.
  func append(_ line: String) throws(TrainerError) {
    let bytes = Array((line + "\n").utf8)
    var done = 0
    while done < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(
          descriptor,
          buffer.baseAddress.map { unsafe $0 + done },
          buffer.count - done
        )
      }
      if written > 0 {
        done += written
      } else if written == 0 || errno != EINTR {
        throw .file(.from(path: path, operation: "write", code: written == 0 ? ENOSPC : errno))
      }
    }
  }
}

/// Memory and time of this process.
enum ProcessFigures {
  /// Most memory that was resident, in bytes.
  static var peakResidentBytes: Int {
    var usage = rusage()
    guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
  }

  /// Seconds on a clock that never runs backwards.
  static var seconds: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// Folders, through the file manager.
enum Folders {
  /// Names in a folder, sorted; none when it is not there.
  static func names(in path: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  /// The path from the root.
  static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  }

  /// True when a folder is there.
  static func exists(_ path: String) -> Bool {
    var isFolder = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
  }

  /// True when anything is there.
  static func isTaken(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Makes a folder and those above it.
  ///
  /// - Throws: `TrainerError.file`.
  static func make(_ path: String) throws(TrainerError) {
    guard !exists(path) else { return }
    do {
      try FileManager.default.createDirectory(
        atPath: path,
        withIntermediateDirectories: true
      )
    } catch {
      throw .file(.from(path: path, operation: "create", code: code(of: error)))
    }
  }

  private static func code(of error: any Error) -> Int32 {
    switch (error as? CocoaError)?.code {
    case .fileWriteNoPermission?: EACCES
    case .fileWriteOutOfSpace?: ENOSPC
    case .fileWriteFileExists?: EEXIST
    case .fileNoSuchFile?: ENOENT
    case .fileWriteVolumeReadOnly?: EROFS
    default: EIO
    }
  }

  /// Removes a file or a folder with everything in it.
  static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}

/// Whole files, read and replaced.
enum FileText {
  /// A whole small file.
  ///
  /// - Throws: `TrainerError.file`.
  static func read(_ path: String) throws(TrainerError) -> [UInt8] {
    do throws(FileError) {
      return try MappedFile(path: path).bytes.array()
    } catch {
      throw .file(error)
    }
  }

  /// Replaces a file by `bytes`, all or nothing.
  ///
  /// - Throws: `TrainerError.format`.
  static func write(_ bytes: [UInt8], to path: String) throws(TrainerError) {
    do throws(FormatError) {
      let file = try AtomicFile(path: path)
      try file.requireSpace(bytes.count)
      try file.write(bytes)
      try file.commit()
    } catch {
      throw .format(error)
    }
  }
}
