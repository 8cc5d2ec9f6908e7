// SPDX-License-Identifier: Apache-2.0
// One process at a time works in a folder.

internal import Glibc
internal import SEATensor

/// A lock that ends with the process, however it ends.
final class FolderLock {
  private let descriptor: Int32

  /// Takes the lock of a folder.
  ///
  /// - Parameters:
  ///   - folder: an existing folder, which gets a file named `lock`.
  ///   - output: what the error names.
  /// - Throws: `LabelError.busy` when another process has it.
  init(_ folder: String, output: String) throws(LabelError) {
    let path = folder + "/lock"
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else {
      throw .file(.from(path: path, operation: "create", code: errno))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw .busy(path: output)
    }
    self.descriptor = descriptor
  }

  // A child that is just being started may hold the descriptor longer than this.
  deinit {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
