// SPDX-License-Identifier: Apache-2.0
// Pictures painted, encoded and written by many threads.

internal import Crypto
internal import SEADrawing
internal import SEAFormat
internal import SEATensor
internal import Synchronization

/// What is known of a picture once it is on its way to the disk.
struct PictureResult: Sendable {
  /// SHA-256 of the file.
  let digest: [UInt8]
  /// Its line of the mask file; empty when masks are not wanted.
  let mask: String
}

/// Where threads leave their results.
final class PictureResults: Sendable {
  private let slots: Mutex<[PictureResult?]>
  private let failure = Mutex<WorldError?>(nil)

  init(count: Int) {
    slots = Mutex([PictureResult?](repeating: nil, count: count))
  }

  func set(_ result: PictureResult, at slot: Int) {
    slots.withLock { $0[slot] = result }
  }

  func fail(_ error: WorldError) {
    failure.withLock { if $0 == nil { $0 = error } }
  }

  /// All results in order.
  ///
  /// - Throws: the first failure.
  func finish() throws(WorldError) -> [PictureResult] {
    if let error = failure.withLock({ $0 }) { throw error }
    return slots.withLock { $0.compactMap(\.self) }
  }
}

/// A run of pictures; each piece is one picture and writes one file.
struct PictureWork: ParallelWork {
  let records: Records
  let folder: WorldFolder
  /// The number of the first picture.
  let first: Int
  /// Pictures below this number are on the disk already, unless they have been removed.
  let done: Int
  let results: PictureResults

  func run(piece: Int, worker: Int) {
    do throws(WorldError) {
      results.set(try make(first + piece), at: piece)
    } catch {
      results.fail(error)
    }
  }

  private func make(_ index: Int) throws(WorldError) -> PictureResult {
    let name = "\(WorldFile.images)/\(records.image(index))"
    let options = records.options
    let known = index < done ? Self.read(folder.file(name)) : nil
    if let known, !options.writesMasks {
      return PictureResult(digest: Self.digest(known), mask: "")
    }
    let scene = records.scene(index)
    let picture = ScenePainter.paint(scene, side: options.side)
    let mask =
      options.writesMasks ? Masks.record(scene, picture, image: records.image(index)) : ""
    if let known { return PictureResult(digest: Self.digest(known), mask: mask) }
    let note = "\(records.id(index)), version \(WorldOptions.version)"
    let side = options.side
    guard let file = PNGEncoder.encode(picture.pixels, width: side, height: side, note: note) else {
      throw .encoding(path: folder.file(name), reason: "libpng refuses it")
    }
    try folder.write(file, to: name)
    return PictureResult(digest: Self.digest(file), mask: mask)
  }

  private static func digest(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

  /// A picture file that is whole, or nil.
  private static func read(_ path: String) -> [UInt8]? {
    guard let file = try? MappedFile(path: path), file.count > endMark.count else { return nil }
    let bytes = file.bytes.array()
    return bytes.suffix(endMark.count) == endMark[...] ? bytes : nil
  }

  /// The last chunk of every PNG.
  private static let endMark: [UInt8] = [
    0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
  ]
}
