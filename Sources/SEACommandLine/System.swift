// SPDX-License-Identifier: Apache-2.0
// The few calls into the operating system that commands need beyond files and memory.

package import Glibc
package import SEATensor

/// System calls behind checked, copying interfaces; the only place in the commands with unsafe code.
package enum System {
  /// Makes descriptors 0, 1 and 2 refer to something, so that no file opened later takes their place.
  ///
  /// A closed standard output becomes one that cannot be written to: losing a result must be noticed.
  package static func occupyStandardDescriptors() {
    for (descriptor, mode) in [(Int32(0), O_RDONLY), (1, O_RDONLY), (2, O_WRONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is taken, which is `descriptor` because lower ones are in use.
      _ = unsafe open("/dev/null", mode)
    }
  }

  /// Lets signals reach this process whatever mask its parent left it.
  package static func unblock(_ signals: [Int32]) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in signals { unsafe sigaddset(&set, number) }
    unsafe sigprocmask(SIG_UNBLOCK, &set, nil)
  }

  /// Writes all of `bytes`.
  ///
  /// - Returns: 0, or the error number of the call that failed.
  package static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Int32 {
    unsafe bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let count = unsafe Glibc.write(
          descriptor,
          buffer.baseAddress.map { unsafe $0 + done },
          buffer.count - done
        )
        if count > 0 {
          done += count
        } else if count == 0 || errno != EINTR {
          return count == 0 ? ENOSPC : errno
        }
      }
      return 0
    }
  }

  /// Reads at most `limit` bytes; fewer at the end of the input or when a pipe has no more yet.
  ///
  /// - Throws: `FileError.system`.
  package static func read(
    _ descriptor: Int32,
    limit: Int,
    name: String
  ) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    while true {
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if count >= 0 {
        bytes.removeLast(limit - count)
        return bytes
      }
      guard errno == EINTR else {
        throw .system(path: name, operation: "read", code: errno)
      }
    }
  }

  /// The folder of the running executable, from the kernel and not from how it was called.
  package static var executableFolder: String? {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let address = buffer.baseAddress else { return 0 }
      return unsafe readlink("/proc/self/exe", address, buffer.count)
    }
    guard count > 0, count < bytes.count else { return nil }
    let path = String(decoding: bytes[..<count], as: UTF8.self)
    return path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) }
  }

  /// Replaces this process by another program; returns only when that fails.
  ///
  /// - Returns: the error number.
  package static func execute(_ path: String, arguments: [String]) -> Int32 {
    var pointers = unsafe arguments.map { unsafe strdup($0) }
    defer { unsafe pointers.forEach { unsafe free($0) } }
    unsafe pointers.append(nil)
    _ = unsafe execv(path, pointers)
    return errno
  }

  /// True when a file exists that this process may run.
  package static func isExecutable(_ path: String) -> Bool {
    unsafe access(path, X_OK) == 0
  }

  /// True when two paths name the same existing file.
  package static func isSameFile(_ first: String, _ second: String) -> Bool {
    var left = stat()
    var right = stat()
    guard unsafe stat(first, &left) == 0, unsafe stat(second, &right) == 0 else { return false }
    return left.st_dev == right.st_dev && left.st_ino == right.st_ino
  }

  /// True when two paths name the same file, or the same name in the same folder before there is a file.
  package static func isSamePlace(_ first: String, _ second: String) -> Bool {
    let (left, right) = (place(first), place(second))
    return isSameFile(first, second)
      || left.name == right.name && isSameFile(left.folder, right.folder)
  }

  private static func place(_ path: String) -> (folder: String, name: Substring) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path[...]) }
    return (slash == path.startIndex ? "/" : String(path[..<slash]), path[slash...].dropFirst())
  }

  /// A path from the root with every link followed; the path itself when nothing is there.
  package static func absolute(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// The kind bits of a path's mode, links followed; nil when nothing is there.
  package static func kind(of path: String) -> mode_t? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return status.st_mode & S_IFMT
  }

  /// The names in a folder, in no order; empty when it cannot be read.
  package static func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      // The name is a zero-terminated array inside the entry, valid until the next read.
      names.append(
        unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
      )
    }
    return names.filter { $0 != "." && $0 != ".." }
  }

  /// Bytes of a regular file, links followed; nil for anything else.
  package static func size(of path: String) -> Int? {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(exactly: status.st_size)
  }

  /// Bytes that an ordinary user may still write to the file system of `folder`; nil when unknown.
  package static func freeBytes(in folder: String) -> Int? {
    var status = statvfs()
    guard unsafe statvfs(folder, &status) == 0, status.f_blocks > 0 else { return nil }
    let (bytes, overflow) = Int(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return overflow ? nil : bytes
  }

  /// Makes a folder and those above it.
  ///
  /// - Throws: `FileError` naming the folder that cannot be made.
  package static func makeFolder(_ path: String) throws(FileError) {
    if kind(of: path) == S_IFDIR { return }
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      try makeFolder(String(path[..<slash]))
    }
    guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw .from(path: path, operation: "create", code: errno)
    }
  }

  /// Removes a file.
  ///
  /// - Throws: `FileError`.
  package static func remove(_ path: String) throws(FileError) {
    guard unsafe unlink(path) == 0 else {
      throw .from(path: path, operation: "remove", code: errno)
    }
  }

  /// Runs another program to its end; what it prints goes to this process's standard error.
  ///
  /// - Returns: its exit code, 128 and the number of the signal that ended it, or nil when it could
  ///   not be started.
  package static func run(_ path: String, arguments: [String]) -> Int32? {
    var pointers = unsafe arguments.map { unsafe strdup($0) }
    defer { unsafe pointers.forEach { unsafe free($0) } }
    unsafe pointers.append(nil)
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
    var process: pid_t = 0
    guard unsafe posix_spawn(&process, path, &actions, nil, pointers, environ) == 0 else {
      return nil
    }
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { return nil }
    }
    let signal = status & 0x7f
    return signal == 0 ? status >> 8 & 0xff : 128 + signal
  }

  /// Most memory this process has had resident, in bytes.
  package static var peakResidentBytes: Int {
    var usage = rusage()
    guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
  }

  /// Seconds on a clock that never runs backwards.
  package static var seconds: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The value of an environment variable, or nil when it is not set.
  package static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// Ends the process with a sentence and an exit code when a page of a mapped file cannot be had.
  ///
  /// The file became shorter, or its disk failed. Nothing is half-written: outputs get their names
  /// last.
  package static func endOnMissingPages() {
    signal(SIGBUS) { _ in
      let message: StaticString = "sea: error: a mapped file shrank or cannot be read any more\n"
      _ = unsafe Glibc.write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
      _exit(ExitStatus.inputOutput.rawValue)
    }
  }
}
