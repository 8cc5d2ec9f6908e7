// SPDX-License-Identifier: Apache-2.0
// Features of pictures: computed by a frozen encoder once, then read from a folder.

internal import SEAFormat
package import SEAImage
internal import SEALabels
package import SEAModel
package import SEATensor

/// How cached features are stored.
package enum FeatureStorage: String, Sendable, CaseIterable {
  case float32 = "f32"
  case float16 = "f16"
}

/// A folder of features, one file a picture.
///
/// A file is named by a hash of the picture's bytes, the recipe and the encoder, so that one folder
/// serves any number of runs and nothing stale is ever read. Values are rounded as they are stored
/// also when they have just been computed: a run gives the same bits with a full cache and with none.
package final class PictureFeatures {
  private let recipe: ImageRecipe
  private let encode: ([[Float]]) throws -> [MatrixView<Float>]
  private let pool: WorkerPool
  private let folder: String?
  private let key: String
  private let storage: FeatureStorage
  private let rows: Int
  private let width: Int
  private let maxBytes: Int
  private var written = 0
  private var isBroken = false
  /// Features by path, as they were computed or read first.
  private var kept: [String: MatrixView<Float>] = [:]
  private var keptBytes = 0
  /// Called once when the cache can no longer be written.
  package var warn: (String) -> Void = { _ in }

  /// Pictures whose features were read, and computed.
  package private(set) var counts = (read: 0, computed: 0)

  private static let tensor = "features"
  /// Bytes of features that stay in memory: ten thousand pictures of 64 × 192, 230 of 576 × 1024.
  static let maxKeptBytes = 512 << 20
  /// Rows of pictures that go through the encoder together: fewer are slow, more take memory.
  private static let rowsTogether = 1024

  /// Features of a recipe and an encoder.
  ///
  /// - Parameters:
  ///   - recipe: pictures to pixels.
  ///   - encoder: what the encoder is; tells the shape of features.
  ///   - identity: a hash of everything else that decides features: weights, precision, kernels.
  ///   - folder: where features are kept; nil: nowhere.
  ///   - storage: how they are kept.
  ///   - maxBytes: no more is written after this much.
  ///   - pool: threads that prepare pictures.
  ///   - encode: pixels of some pictures to features, the same whatever goes with them.
  /// - Throws: `TrainerError.file` when the folder cannot be made.
  package init(
    recipe: ImageRecipe,
    encoder: EncoderDescription,
    identity: String,
    folder: String?,
    storage: FeatureStorage,
    maxBytes: Int = .max,
    on pool: WorkerPool,
    encode: @escaping ([[Float]]) throws -> [MatrixView<Float>]
  ) throws(TrainerError) {
    self.recipe = recipe
    self.encode = encode
    self.pool = pool
    self.folder = folder
    self.storage = storage
    self.maxBytes = maxBytes
    rows = encoder.features
    width = encoder.featureWidth
    key = [
      "sea.features/1", recipe.json.serialized(), encoder.json.serialized(), identity,
      storage.rawValue,
    ].joined(separator: "\n")
    if let folder { try Folders.make(folder) }
  }

  /// Bytes of one picture's features on the disk.
  package var bytesPerPicture: Int { rows * width * (storage == .float32 ? 4 : 2) }

  /// The features of the pictures in some files, `[features, featureWidth]` each.
  ///
  /// - Returns: features, or the `ImageError` or `FileError` of a file that is no picture.
  /// - Throws: what the encoder throws.
  package func features(
    ofFiles paths: [String]
  ) throws -> [Result<MatrixView<Float>, any Error>] {
    var found: [String: Result<MatrixView<Float>, any Error>] = [:]
    var missing: [(path: String, name: String)] = []
    var seen: Set<String> = []
    for path in paths where seen.insert(path).inserted {
      if let known = kept[path] {
        found[path] = .success(known)
        continue
      }
      do throws(FileError) {
        let name = Digest.of("\(key)\n\(Digest.of(try MappedFile(path: path)))")
        if let folder, let cached = read("\(folder)/\(name.prefix(2))/\(name).safetensors") {
          counts.read += 1
          keep(cached, path)
          found[path] = .success(cached)
        } else {
          missing.append((path, name))
        }
      } catch {
        found[path] = .failure(error)
      }
    }
    let together = max(Self.rowsTogether / rows, 1)
    for start in stride(from: 0, to: missing.count, by: together) {
      let part = missing[start..<min(start + together, missing.count)]
      try compute(Array(part), into: &found)
    }
    return paths.compactMap { found[$0] }
  }

  private func compute(
    _ missing: [(path: String, name: String)],
    into found: inout [String: Result<MatrixView<Float>, any Error>]
  ) throws {
    var files: [(path: String, name: String)] = []
    var pictures: [[Float]] = []
    let results = recipe.pixels(ofFiles: missing.map(\.path), on: pool)
    for (file, result) in zip(missing, results) {
      switch result {
      case .failure(let error): found[file.path] = .failure(error)
      case .success(let pixels):
        files.append(file)
        pictures.append(pixels)
      }
    }
    guard !pictures.isEmpty else { return }
    for (file, features) in zip(files, try encode(pictures)) {
      let computed = round(features)
      counts.computed += 1
      if let folder { store(computed, in: "\(folder)/\(file.name.prefix(2))", as: file.name) }
      keep(computed, file.path)
      found[file.path] = .success(computed)
    }
  }

  private func keep(_ features: MatrixView<Float>, _ path: String) {
    let bytes = rows * width * 4
    guard keptBytes + bytes <= Self.maxKeptBytes else { return }
    kept[path] = features
    keptBytes += bytes
  }

  /// Values as they will be read back.
  private func round(_ features: MatrixView<Float>) -> MatrixView<Float> {
    guard storage == .float16 else { return features }
    for row in 0..<features.rows {
      features.withRow(row) { values in
        var values = values
        for index in 0..<values.count { values[index] = Self.rounded(values[index]) }
      }
    }
    return features
  }

  /// The nearest f16; what is beyond its range becomes its largest number.
  private static func rounded(_ value: Float) -> Float {
    let limit = Float(Float16.greatestFiniteMagnitude)
    return Float(Float16(min(max(value, -limit), limit)))
  }

  /// Cached features, or nil when there are none that can be used.
  private func read(_ path: String) -> MatrixView<Float>? {
    guard Folders.isTaken(path), let file = try? SafetensorsFile(path: path),
      let info = file.info(Self.tensor), info.shape == [rows, width],
      info.type == (storage == .float32 ? .float32 : .float16),
      file.metadata("crc32c") == Self.checksum(file.bytes(of: info)),
      let features = try? MatrixView<Float>(rows: rows, columns: width)
    else { return nil }
    let bytes = file.bytes(of: info)
    for row in 0..<rows {
      features.withRow(row) { values in
        var values = values
        for index in 0..<values.count {
          let place = row * width + index
          values[index] =
            storage == .float32
            ? Float(bitPattern: bytes.loadLittleEndian(at: place * 4, as: UInt32.self))
            : Float(Float16(bitPattern: bytes.loadLittleEndian(at: place * 2, as: UInt16.self)))
        }
      }
    }
    return features
  }

  /// Keeps features; a cache that cannot be written is no reason to stop.
  private func store(_ features: MatrixView<Float>, in folder: String, as name: String) {
    guard !isBroken, written + bytesPerPicture <= maxBytes else { return }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(bytesPerPicture)
    for value in features.array() {
      switch storage {
      case .float32: Self.append(value.bitPattern, to: &bytes)
      case .float16: Self.append(Float16(value).bitPattern, to: &bytes)
      }
    }
    do {
      try Folders.make(folder)
      var writer = try SafetensorsWriter(
        path: "\(folder)/\(name).safetensors",
        tensors: [
          SafetensorsTensor(
            Self.tensor,
            storage == .float32 ? .float32 : .float16,
            [rows, width]
          )
        ],
        metadata: [("crc32c", CRC32C.digits(CRC32C.checksum(bytes)))]
      )
      try writer.write(bytes, to: Self.tensor)
      try writer.finish()
      written += bytesPerPicture
    } catch {
      isBroken = true
      warn("features are no longer cached: \(error)")
    }
  }

  private static func checksum(_ bytes: ByteView) -> String {
    var crc = CRC32C()
    bytes.withSpan { crc.update($0) }
    return crc.digits
  }

  private static func append<Bits: FixedWidthInteger>(_ bits: Bits, to bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: Bits.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: bits >> Bits(shift)))
    }
  }
}
