// SPDX-License-Identifier: Apache-2.0
// A folder for one test, and safetensors files made to order, sound or not.

import Foundation
import SEAFormat
import SEATensor

/// A folder that is removed with its owner.
final class Scratch {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "/sea-format-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: folder)
  }

  func path(_ name: String) -> String {
    folder + "/" + name
  }

  /// Writes a file as it is.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = path(name)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Writes a safetensors file with this header text and this many bytes of data.
  func safetensors(
    _ header: [UInt8],
    data: Int = 0,
    name: String = "x.safetensors"
  ) throws -> String {
    try file(name, prefix(UInt64(header.count)) + header + [UInt8](repeating: 0, count: data))
  }

  func safetensors(_ header: String, data: Int = 0) throws -> String {
    try safetensors(Array(header.utf8), data: data)
  }

  func read(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
  }
}

/// The eight bytes that come before a header.
func prefix(_ length: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
}

/// A header entry.
func entry(
  _ name: String,
  _ type: String,
  _ shape: String,
  _ begin: String,
  _ end: String
) -> String {
  "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(end)]}"
}

/// What opening the file says, or "accepted".
func verdict(_ path: String, limits: SafetensorsLimits = .foreign) -> String {
  do throws(FormatError) {
    _ = try SafetensorsFile(path: path, limits: limits)
    return "accepted"
  } catch {
    return error.description
  }
}
