// SPDX-License-Identifier: Apache-2.0
// Folders and files that tests write for themselves.

import Foundation
import SEADataset

/// A folder that goes when it is no longer needed.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "sea-dataset-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    let file = path + "/" + name
    let folder = (file as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    return file
  }
}

/// A record as people write it.
func record(
  _ id: String,
  image: String? = nil,
  _ turns: [(from: String, value: String)] = [("human", "What?"), ("gpt", "A cat.")]
) -> String {
  let spoken = turns.map { "{\"from\": \"\($0.from)\", \"value\": \"\($0.value)\"}" }
  let picture = image.map { "\"image\": \"\($0)\", " } ?? ""
  return
    "{\"id\": \"\(id)\", \(picture)\"conversations\": [\(spoken.joined(separator: ", "))]}"
}
