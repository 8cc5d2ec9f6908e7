// SPDX-License-Identifier: Apache-2.0
// A file appears complete or not at all, and the one before it stays until then.

import Foundation
import SEAFormat
import Testing

@Suite struct AtomicFileTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
  }

  @Test func appearsOnCommitOnly() throws {
    let path = try scratch.file("x", [1, 2, 3])
    let file = try AtomicFile(path: path)
    try file.write([4, 5])
    #expect(try scratch.read(path) == [1, 2, 3])
    #expect(try scratch.names == ["x", "x.tmp.\(getpid())"])
    try file.commit()
    #expect(try scratch.read(path) == [4, 5])
    #expect(try scratch.names == ["x"])
  }

  @Test func leavesNoTraceWhenDropped() throws {
    let path = try scratch.file("x", [1, 2, 3])
    do {
      let file = try AtomicFile(path: path)
      try file.write([UInt8](repeating: 9, count: 5 << 20))
      #expect(file.count == 5 << 20)
    }
    #expect(try scratch.read(path) == [1, 2, 3])
    #expect(try scratch.names == ["x"])
  }

  @Test func leavesNoTraceWhenTheRenameFails() throws {
    let path = scratch.path("x")
    let file = try AtomicFile(path: path)
    try file.write([1])
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(throws: FormatError.self) { try file.commit() }
    #expect(try scratch.names == ["x"])
  }

  @Test func replacesBytesWrittenBefore() throws {
    let file = try AtomicFile(path: scratch.path("x"))
    try file.write([UInt8](repeating: 1, count: 10))
    try file.overwrite([7, 8], at: 3)
    try file.write([2])
    try file.commit()
    #expect(try scratch.read(scratch.path("x")) == [1, 1, 1, 7, 8, 1, 1, 1, 1, 1, 2])
  }

  @Test func refusesFoldersAndDevices() throws {
    for path in [scratch.folder, scratch.folder + "/", "/dev/null", ""] {
      #expect(throws: FormatError.self) { try AtomicFile(path: path) }
    }
    do throws(FormatError) {
      _ = try AtomicFile(path: scratch.path("no/x"))
      Issue.record("a missing folder was accepted")
    } catch {
      #expect(error == .file(.missing(path: scratch.path("no"))))
    }
    #expect(try scratch.names == [])
  }

  @Test func refusesASecondWriter() throws {
    let path = scratch.path("x")
    let first = try AtomicFile(path: path)
    #expect(throws: FormatError.busy(path: path)) { try AtomicFile(path: path) }
    try first.write([1])
    try first.commit()
    #expect(try scratch.read(path) == [1])
  }

  @Test func removesLeftoversOfDeadWritersOnly() throws {
    // Process ids end at 2^22, so this one never lives; process 1 always does.
    _ = try scratch.file("x.tmp.99999999", [1])
    _ = try scratch.file("x.tmp.1", [1])
    _ = try scratch.file("x.tmp.me", [1])
    _ = try scratch.file("y.tmp.99999999", [1])
    _ = try scratch.file("x.tmp.\(getpid())", [1])
    let file = try AtomicFile(path: scratch.path("x"))
    try file.commit()
    #expect(try scratch.names == ["x", "x.tmp.1", "x.tmp.me", "y.tmp.99999999"])
    #expect(try scratch.read(scratch.path("x")) == [])
  }

  @Test func followsALinkAndKeepsPermissions() throws {
    let target = try scratch.file("target", [1])
    #expect(chmod(target, 0o640) == 0)
    #expect(symlink("target", scratch.path("link")) == 0)
    let file = try AtomicFile(path: scratch.path("link"))
    try file.write([2])
    try file.commit()
    #expect(try scratch.read(target) == [2])
    #expect(try scratch.names == ["link", "target"])
    var status = stat()
    #expect(lstat(scratch.path("link"), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(stat(target, &status) == 0 && status.st_mode & 0o777 == 0o640)
  }

  @Test func namesTheDiskThatIsFull() throws {
    let path = scratch.path("x")
    let file = try AtomicFile(path: path)
    try file.requireSpace(1)
    #expect(throws: FormatError.file(.system(path: path, operation: "write", code: ENOSPC))) {
      try file.requireSpace(.max)
    }
    #expect(try scratch.names == [])
  }
}
