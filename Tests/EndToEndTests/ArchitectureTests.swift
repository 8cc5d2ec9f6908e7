// SPDX-License-Identifier: Apache-2.0
// The house's own rules, and that breaking them is noticed.

import TestSupport
import Testing

@Suite struct ArchitectureTests {
  static let script = "\(Fixtures.repository)/Tools/scripts/check_architecture.sh"

  @Test func theHouseKeepsItsRules() throws {
    let outcome = try Command(program: Self.script).run()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.isEmpty)
  }

  @Test(arguments: [
    ("Sources/SEAText/A.swift", "import SEACheckpoint", "the device wing imports the host wing"),
    ("Sources/sea/A.swift", "internal import Crypto", "the device wing imports the host wing"),
    ("Sources/SEAText/A.swift", "import Foundation", "the device wing imports whole Foundation"),
    ("Sources/sea/A.swift", "import FoundationNetworking", "the device wing imports whole"),
    (
      "Sources/SEAText/A.swift", "package import ArgumentParser",
      "a library imports the argument parser"
    ),
    ("Sources/SEAModel/A.swift", "import CSIMD", "only SEATensor calls kernels"),
    ("Sources/SEAText/A.swift", "let x = unsafe y.z", "unsafe code outside its homes"),
    (
      "Tools/SEAQuantizer/A.swift", "a.withUnsafeBytes { $0.count }",
      "unsafe code outside its homes"
    ),
    ("Sources/SEAText/A.swift", "struct A: @unchecked Sendable {}", "unchecked concurrency"),
    ("Sources/SEAText/A.swift", "let x = try! y()", "crash paths"),
    ("Tools/sea-tools/A.swift", "fatalError(\"no\")", "crash paths"),
    ("Sources/SEAText/A.swift", "  print(x)", "a library prints or exits"),
    ("Tools/SEACheckpoint/A.swift", "  exit(1)", "a library prints or exits"),
  ])
  func aBreachIsNoticed(path: String, line: String, title: String) throws {
    let folder = try Folder()
    let place = path.split(separator: "/").dropLast().joined(separator: "/")
    for name in ["Sources/SEAText", "Tools/SEACheckpoint", place] {
      _ = try Command(program: "/bin/mkdir", arguments: ["-p", folder / name]).run()
    }
    let sound = try Command(program: Self.script, arguments: [folder.path]).run()
    #expect(sound.status == 0, "\(sound)")
    try folder.write(path, "// A file.\n\(line)\n")
    let outcome = try Command(program: Self.script, arguments: [folder.path]).run()
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.text.contains(title), "\(outcome)")
    #expect(outcome.text.contains("\(path):2:"), "\(outcome)")
  }
}
