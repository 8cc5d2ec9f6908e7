// SPDX-License-Identifier: Apache-2.0
// The folder that pictures come from, and from nowhere else.

internal import Glibc
internal import SEATensor

/// A root folder for pictures; names that lead out of it are refused.
package struct ImageFolder: Sendable {
  /// The path as given.
  package let root: String
  /// The folder with every link followed.
  private let resolved: String

  /// Opens the folder.
  ///
  /// - Throws: `DatasetError.file` when it does not exist or is no folder.
  package init(path: String) throws(DatasetError) {
    guard let resolved = Self.resolve(path) else {
      throw .file(.from(path: path, operation: "open", code: errno))
    }
    var status = stat()
    guard unsafe stat(resolved, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw .file(.system(path: path, operation: "open", code: ENOTDIR))
    }
    root = path
    self.resolved = resolved == "/" ? "" : resolved
  }

  /// The path of the picture that a record names.
  ///
  /// - Throws: `DatasetError.imageOutside` for addresses, control bytes and names that lead out of the
  ///   folder, by `..` or by a link; `.imageMissing` when no regular file is there.
  package func path(of name: String) throws(DatasetError) -> String {
    func refuse(_ reason: String) -> DatasetError {
      .imageOutside(name: name, root: root, reason: reason)
    }
    guard !name.isEmpty else { throw refuse("the name is empty") }
    guard name.utf8.count < 4096 else { throw refuse("the name has \(name.utf8.count) bytes") }
    guard !name.utf8.contains(0) else { throw refuse("the name contains a zero byte") }
    guard !name.contains("://"), !name.hasPrefix("data:") else {
      throw refuse("it is an address, and nothing is fetched")
    }
    let isAbsolute = name.utf8.first == UInt8(ascii: "/")
    let path = isAbsolute ? name : "\(resolved)/\(name)"
    // Decided on the text first: a name that leads out is refused whether or not a file is there.
    if !isAbsolute, Self.leavesFolder(name) { throw refuse("it leads out of the folder") }
    guard let found = Self.resolve(path) else {
      let isInside = !isAbsolute || path.utf8.starts(with: "\(resolved)/".utf8)
      guard isInside, !Self.leavesFolder(name) else { throw refuse("it is an absolute path") }
      throw .imageMissing(name: name, path: path)
    }
    guard found.utf8.starts(with: "\(resolved)/".utf8) else {
      throw refuse(isAbsolute ? "it is an absolute path" : "a link leads out of the folder")
    }
    var status = stat()
    guard unsafe stat(found, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .imageMissing(name: name, path: path)
    }
    return found
  }

  /// True when the name steps above where it starts.
  private static func leavesFolder(_ name: String) -> Bool {
    var depth = 0
    for part in name.split(separator: "/") where part != "." {
      depth += part == ".." ? -1 : 1
      if depth < 0 { return true }
    }
    return false
  }

  /// A path with every link followed, or nil when nothing is there.
  private static func resolve(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
}
