// SPDX-License-Identifier: Apache-2.0
// The built command, run, stopped and killed.

import Foundation
import TestSupport

/// What a command printed and how it ended.
struct CommandResult {
  let status: Int32
  let output: String
  let errors: String
}

/// `sea-tools` as people call it.
enum SeaTools {
  static let path = Fixtures.products + "/sea-tools"

  /// A process that writes into files, so that nothing waits for a reader; `script` is a line of bash
  /// that ends by becoming the command.
  static func start(
    _ arguments: [String],
    in folder: TemporaryFolder,
    through script: String? = nil
  ) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: script == nil ? path : "/bin/bash")
    process.arguments = (script.map { ["-c", $0, path] } ?? []) + arguments
    for name in ["out.txt", "err.txt"] {
      _ = FileManager.default.createFile(atPath: folder.path + "/" + name, contents: nil)
    }
    process.standardOutput = FileHandle(forWritingAtPath: folder.path + "/out.txt")
    process.standardError = FileHandle(forWritingAtPath: folder.path + "/err.txt")
    try process.run()
    return process
  }

  /// Waits until `condition` holds.
  ///
  /// - Throws: `Late` after a minute.
  static func wait(until condition: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: 60)
    while try !condition() {
      guard Date() < deadline else { throw Late() }
      usleep(2000)
    }
  }

  struct Late: Error {}

  /// Sends a signal and waits for the end, which must come soon.
  static func end(_ process: Process, by signal: Int32) throws {
    kill(process.processIdentifier, signal)
    do {
      try wait { !process.isRunning }
    } catch {
      kill(process.processIdentifier, SIGKILL)
      throw error
    }
    process.waitUntilExit()
  }

  /// Runs to the end.
  @discardableResult
  static func run(
    _ arguments: [String],
    in folder: TemporaryFolder,
    through script: String? = nil
  ) throws -> CommandResult {
    let process = try start(arguments, in: folder, through: script)
    process.waitUntilExit()
    return CommandResult(
      status: process.terminationStatus,
      output: try String(contentsOfFile: folder.path + "/out.txt", encoding: .utf8),
      errors: try String(contentsOfFile: folder.path + "/err.txt", encoding: .utf8)
    )
  }
}

/// The values of a safetensors file.
struct TensorFile {
  private var tensors: [String: [Float]] = [:]
  private var integers: [String: [Int]] = [:]

  init(path: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header = try JSONSerialization.jsonObject(with: data.subdata(in: 8..<8 + length))
    for (name, entry) in header as? [String: [String: Any]] ?? [:] {
      guard let range = entry["data_offsets"] as? [Int], let type = entry["dtype"] as? String else {
        continue
      }
      let bytes = [UInt8](data.subdata(in: 8 + length + range[0]..<8 + length + range[1]))
      let words = stride(from: 0, to: bytes.count, by: 4).map { offset in
        (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
      }
      if type == "F32" { tensors[name] = words.map { Float(bitPattern: $0) } }
      if type == "I32" { integers[name] = words.map { Int(Int32(bitPattern: $0)) } }
    }
  }

  var names: [String] { tensors.keys.sorted() }
  func floats(_ name: String) -> [Float] { tensors[name] ?? [] }
  func ints(_ name: String) -> [Int] { integers[name] ?? [] }
  func value(_ name: String) -> Double { tensors[name]?.first.map { Double($0) } ?? .nan }
}
