// SPDX-License-Identifier: Apache-2.0
// What an atomic file asks of its folder: a sane target, no leftovers, a name that lasts.

import Glibc
import SEATensor

extension AtomicFile {
  /// Follows a link at the end of `path` and checks that the target may be replaced.
  ///
  /// Returns the path to rename to, and the permissions of the file there now, if any.
  static func resolve(_ path: String) throws(FormatError) -> (target: String, mode: mode_t?) {
    guard !path.isEmpty else { throw .outputRefused(path: path, reason: "the path is empty") }
    guard path.utf8.last != UInt8(ascii: "/") else {
      throw .outputRefused(path: path, reason: "it names a folder")
    }
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      // Nothing there, or a link to nothing: the rename creates or replaces the name itself.
      if errno == ENOENT { return (path, nil) }
      throw .file(.from(path: path, operation: "create", code: errno))
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .outputRefused(path: path, reason: "it is a folder")
    default: throw .outputRefused(path: path, reason: "it is not a regular file")
    }
    let mode = status.st_mode & 0o777
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else {
      return (path, mode)
    }
    guard let resolved = unsafe realpath(path, nil) else {
      throw .file(.from(path: path, operation: "create", code: errno))
    }
    defer { unsafe free(resolved) }
    return (unsafe String(cString: resolved), mode)
  }

  /// Splits a path into its folder, "." when it has none, and its last component.
  static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    return (folder, String(path[path.utf8.index(after: slash)...]))
  }

  /// Removes temporary files of `target` whose writer is gone.
  ///
  /// A writer is gone when its process id is unknown and nobody holds the lock; both are asked
  /// because process ids differ between containers that share a folder.
  static func removeStaleFiles(besides target: String) {
    let (folder, name) = split(target)
    let prefix = name + ".tmp."
    for entry in names(in: folder) {
      guard entry.utf8.starts(with: prefix.utf8) else { continue }
      guard let process = pid_t(String(entry.utf8.dropFirst(prefix.utf8.count)) ?? "") else {
        continue
      }
      guard process == getpid() || (kill(process, 0) != 0 && errno == ESRCH) else { continue }
      let path = folder + "/" + entry
      let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unsafe unlink(path) }
      close(descriptor)
    }
  }

  /// Makes a rename in the folder of `path` last.
  package static func syncFolder(of path: String) throws(FormatError) {
    let (folder, _) = split(path)
    let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .file(.from(path: folder, operation: "open", code: errno))
    }
    defer { close(descriptor) }
    // Some file systems have nothing to do for a folder and say so with EINVAL.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .file(.from(path: folder, operation: "write", code: errno))
    }
  }

  private static func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      // The name is a zero-terminated array inside the entry, valid until the next read.
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      names.append(name)
    }
    return names
  }
}
