// SPDX-License-Identifier: Apache-2.0
// Pictures of samples: features of a frozen encoder, or pixels for one that is trained.

internal import SEAFormat
package import SEAImage
package import SEALayers
package import SEATensor
internal import Synchronization

/// What the model is given for a picture's file.
package protocol PictureSource: AnyObject {
  /// The pictures in some files, or why one is none.
  ///
  /// An `ImageError` or `FileError` is a picture's own; whatever else goes wrong is thrown.
  func pictures(ofFiles paths: [String]) throws -> [Result<TrainingPicture, any Error>]
}

extension PictureFeatures: PictureSource {
  package func pictures(ofFiles paths: [String]) throws -> [Result<TrainingPicture, any Error>] {
    try features(ofFiles: paths).map { $0.map { .features($0) } }
  }
}

/// Pixels, prepared anew each time on all threads: an encoder that learns sees them in every step.
package final class PicturePixels: PictureSource {
  private let recipe: ImageRecipe
  private let pool: WorkerPool

  /// Pictures prepared by a recipe.
  package init(_ recipe: ImageRecipe, on pool: WorkerPool) {
    self.recipe = recipe
    self.pool = pool
  }

  package func pictures(ofFiles paths: [String]) throws -> [Result<TrainingPicture, any Error>] {
    recipe.pixels(ofFiles: paths, on: pool).map { $0.map { .pixels($0) } }
  }
}

extension ImageRecipe {
  /// The prepared pixels of picture files, or why there are none.
  func pixels(ofFiles paths: [String], on pool: WorkerPool) -> [Result<[Float], any Error>] {
    let slots = PictureSlots(count: paths.count)
    pool.run(
      PictureWork { piece in
        slots.set(Result { try run(try ImageFile.read(path: paths[piece])).values }, at: piece)
      },
      pieces: paths.count
    )
    return slots.all.compactMap(\.self)
  }
}

/// Work given as a closure.
private struct PictureWork: ParallelWork {
  let body: (Int) -> Void

  init(_ body: @escaping (Int) -> Void) { self.body = body }

  func run(piece: Int, worker: Int) { body(piece) }
}

/// Where threads leave pictures.
private final class PictureSlots: Sendable {
  private let results: Mutex<[Result<[Float], any Error>?]>

  init(count: Int) { results = Mutex(Array(repeating: nil, count: count)) }

  func set(_ result: Result<[Float], any Error>, at slot: Int) {
    results.withLock { $0[slot] = result }
  }

  var all: [Result<[Float], any Error>?] { results.withLock { $0 } }
}
