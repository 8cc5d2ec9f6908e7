// SPDX-License-Identifier: Apache-2.0
// Pictures prepared once, kept in bytes, and cut into patches for each step.

internal import SEADataset
package import SEAImage
package import SEATensor
internal import Synchronization

/// Prepared pictures of one size; as many are kept as fit.
package final class PatchPixels {
  private let recipe: ImageRecipe
  private let side: Int
  private let patch: Int
  private let maxBytes: Int
  private let pool: WorkerPool
  private let tables: [[Float]]
  private var kept: [Int: [UInt8]] = [:]
  private var keptBytes = 0

  /// Pictures of an encoder.
  ///
  /// - Parameters:
  ///   - recipe: how they are prepared.
  ///   - side: pixels of a side that the recipe makes.
  ///   - patch: pixels of a patch's side.
  ///   - maxBytes: kept at most.
  ///   - pool: threads.
  package init(
    _ recipe: ImageRecipe,
    side: Int,
    patch: Int,
    maxBytes: Int,
    on pool: WorkerPool
  ) {
    self.recipe = recipe
    self.side = side
    self.patch = patch
    self.maxBytes = maxBytes
    self.pool = pool
    tables = (0..<3).map { recipe.values(ofChannel: $0) }
  }

  /// Pictures by number, read where they are not kept.
  ///
  /// - Parameter files: numbers and paths.
  /// - Returns: `[side, side, 3]` of each, or why there is none.
  package func pictures(
    _ files: [(number: Int, path: String)]
  ) -> [Result<[UInt8], any Error>] {
    var results: [Result<[UInt8], any Error>?] = files.map { kept[$0.number].map { .success($0) } }
    let missing = results.indices.filter { results[$0] == nil }
    guard !missing.isEmpty else { return results.compactMap(\.self) }
    let slots = Slots(count: missing.count)
    let recipe = recipe
    let paths = missing.map { files[$0].path }
    pool.run(
      PieceWork { piece in
        do {
          let picture = try recipe.resampled(try ImageFile.read(path: paths[piece]))
          slots.set(.success(picture.pixels), at: piece)
        } catch {
          slots.set(.failure(error), at: piece)
        }
      },
      pieces: missing.count
    )
    for (slot, result) in slots.all.enumerated() {
      let index = missing[slot]
      results[index] = result
      guard case .success(let pixels)? = result else { continue }
      let number = files[index].number
      if kept[number] == nil, keptBytes + pixels.count <= maxBytes {
        kept[number] = pixels
        keptBytes += pixels.count
      }
    }
    return results.compactMap(\.self)
  }

  /// Cuts pictures into patches, each as channel, row, column, normalised.
  ///
  /// - Parameters:
  ///   - pictures: `[side, side, 3]` each.
  ///   - patches: `[pictures · patches, 3 · patch²]`.
  package func cut(_ pictures: [[UInt8]], into patches: MatrixView<Float>) {
    let (side, patch, tables) = (side, patch, tables)
    let grid = side / patch
    pool.run(
      PieceWork { piece in
        let pixels = pictures[piece]
        for index in 0..<grid * grid {
          patches.withRow(piece * grid * grid + index) { (values: consuming MutableSpan<Float>) in
            var target = 0
            for channel in 0..<3 {
              let table = tables[channel]
              for row in 0..<patch {
                let line = (index / grid * patch + row) * side + index % grid * patch
                for source in line..<line + patch {
                  values[target] = table[Int(pixels[3 * source + channel])]
                  target += 1
                }
              }
            }
          }
        }
      },
      pieces: pictures.count
    )
  }
}

/// Work given as a closure.
private struct PieceWork: ParallelWork {
  let body: (Int) -> Void

  init(_ body: @escaping (Int) -> Void) { self.body = body }

  func run(piece: Int, worker: Int) { body(piece) }
}

/// Where threads leave pictures.
private final class Slots: Sendable {
  private let results: Mutex<[Result<[UInt8], any Error>?]>

  init(count: Int) {
    results = Mutex(Array(repeating: nil, count: count))
  }

  func set(_ result: Result<[UInt8], any Error>, at slot: Int) {
    results.withLock { $0[slot] = result }
  }

  var all: [Result<[UInt8], any Error>?] { results.withLock { $0 } }
}
