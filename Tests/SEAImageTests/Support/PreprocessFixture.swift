// SPDX-License-Identifier: Apache-2.0
// Pictures and the tensors that the reference makes of them.

import Foundation
import SEAFormat
import SEAImage
import Testing

/// One picture of the preprocessing fixtures with its reference tensors.
struct PreprocessFixture {
  let imagePath: String
  let tensors: SafetensorsFile

  static let bundled = [
    "bilevel_33x50.png", "gray16_120x90.png", "gray_97x131.png", "one_1x1.png",
    "palette_trans_101x77.png", "rgb16_64x75.png", "wide_500x3.png", "gray_150x100.jpg",
  ]
  static let sharedOnly = [
    "rgb_641x427.png", "rgba_180x133.png", "photo_320x213.jpg", "photo_exif6_200x133.jpg",
  ]

  /// The shared fixtures beside the repository, or where `SEA_SHARED` says.
  static let sharedFolder: URL = {
    if let path = ProcessInfo.processInfo.environment["SEA_SHARED"] {
      return URL(fileURLWithPath: path)
    }
    return (0..<5).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
      url.deletingLastPathComponent()
    }.appendingPathComponent("shared")
  }()

  static var hasShared: Bool {
    FileManager.default.fileExists(
      atPath: sharedFolder.appendingPathComponent("fixtures/preprocess").path
    )
  }

  static func bundledURL(_ name: String) throws -> URL {
    try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil))
  }

  init(bundled name: String) throws {
    imagePath = try PreprocessFixture.bundledURL(name).path
    tensors = try SafetensorsFile(
      path: PreprocessFixture.bundledURL("\(name).safetensors").path
    )
  }

  init(shared name: String) throws {
    let folder = PreprocessFixture.sharedFolder.appendingPathComponent("fixtures/preprocess")
    imagePath = folder.appendingPathComponent("images/\(name)").path
    tensors = try SafetensorsFile(path: folder.appendingPathComponent("\(name).safetensors").path)
  }

  /// The 8-bit picture stored as `[height, width, 3]`, or nil.
  func image(_ name: String) throws -> PixelImage? {
    guard let info = tensors.info(name) else { return nil }
    return PixelImage(
      width: info.shape[1],
      height: info.shape[0],
      pixels: tensors.bytes(of: info).array()
    )
  }

  /// The floats of a tensor.
  func floats(_ name: String) throws -> [Float] {
    let bytes = try tensors.bytes(of: name)
    return (0..<bytes.count / 4).map {
      Float(bitPattern: bytes.loadLittleEndian(at: 4 * $0, as: UInt32.self))
    }
  }

  /// The recipe that a tensor such as `clip112_pad.u8` was made with.
  static func recipe(_ name: String) -> ImageRecipe? {
    let isPadded = name.contains("_pad.")
    guard let side = Int(name.prefix { $0 != "." && $0 != "_" }.filter(\.isNumber)) else {
      return nil
    }
    if name.hasPrefix("clip") {
      return isPadded ? .clipPad(side: side) : .clipSquare(side: side)
    }
    return isPadded ? .siglipPad(side: side) : .siglip(side: side)
  }
}

/// The bytes of a file.
func fixtureBytes(_ path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}
