// SPDX-License-Identifier: Apache-2.0
// The folder of a world: made, filled with many small files, brought to the disk in one go.

internal import Glibc
internal import SEAFormat
internal import SEATensor

/// A folder that pictures are written to.
///
/// Tens of thousands of files are not synced one by one: each is written under a temporary name and
/// renamed, and `sync` brings all of them to the disk before the summary says that they are there.
struct WorldFolder: Sendable {
  /// The path as given.
  let path: String

  /// The path of a file inside.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Makes the folder, or a folder inside, unless it is there.
  ///
  /// - Throws: `WorldError.file`.
  func make(_ name: String? = nil) throws(WorldError) {
    let folder = name.map(file) ?? path
    guard unsafe mkdir(folder, 0o777) == 0 || errno == EEXIST else {
      throw .file(.from(path: folder, operation: "create", code: errno))
    }
  }

  /// Whether a file or folder is there.
  func has(_ name: String) -> Bool { unsafe access(file(name), F_OK) == 0 }

  /// Whether nothing is in the folder, or there is no folder.
  ///
  /// - Throws: `WorldError.file` when it is not a folder or may not be read.
  var isEmpty: Bool {
    get throws(WorldError) {
      guard let stream = unsafe opendir(path) else {
        if errno == ENOENT { return true }
        throw errno == ENOTDIR
          ? .folder(path: path, reason: "cannot be written: it is not a folder")
          : .file(.from(path: path, operation: "read", code: errno))
      }
      defer { unsafe closedir(stream) }
      while let entry = unsafe readdir(stream) {
        // The name is a zero-terminated array inside the entry, valid until the next read.
        let length = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          unsafe (bytes.prefix { $0 != 0 }.count, bytes.first == UInt8(ascii: "."))
        }
        if length.0 > 2 || !length.1 { return false }
      }
      return true
    }
  }

  /// Writes a small file; it is whole or absent when the process is killed.
  ///
  /// - Throws: `WorldError.file`; nothing is left behind.
  func write(_ bytes: [UInt8], to name: String) throws(WorldError) {
    let target = file(name)
    let temporary = "\(target).tmp"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw .file(.from(path: target, operation: "create", code: errno))
    }
    var code: Int32 = 0
    var done = 0
    while done < bytes.count, code == 0 {
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
        code = count == 0 ? ENOSPC : errno
      }
    }
    if close(descriptor) != 0, code == 0 { code = errno }
    if code == 0, unsafe rename(temporary, target) != 0 { code = errno }
    guard code == 0 else {
      unsafe unlink(temporary)
      throw .file(.from(path: target, operation: "write", code: code))
    }
  }

  /// Removes a file if it is there.
  func remove(_ name: String) {
    unsafe unlink(file(name))
  }

  /// Brings everything that was written to the disk.
  ///
  /// One call for tens of thousands of files; it waits for other programs' files too.
  func sync() {
    Glibc.sync()
  }
}
