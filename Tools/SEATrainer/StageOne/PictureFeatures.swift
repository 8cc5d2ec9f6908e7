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
  private let encode: ([Float]) throws -> MatrixView<Float>
  private let folder: String?
  private let key: String
  private let storage: FeatureStorage
  private let rows: Int
  private let width: Int
  private let maxBytes: Int
  private var written = 0
  private var isBroken = false
  /// Called once when the cache can no longer be written.
  package var warn: (String) -> Void = { _ in }

  /// Pictures whose features were read, and computed.
  package private(set) var counts = (read: 0, computed: 0)

  private static let tensor = "features"

  /// Features of a recipe and an encoder.
  ///
  /// - Parameters:
  ///   - recipe: pictures to pixels.
  ///   - encoder: what the encoder is; tells the shape of features.
  ///   - identity: a hash of everything else that decides features: weights, precision, kernels.
  ///   - folder: where features are kept; nil: nowhere.
  ///   - storage: how they are kept.
  ///   - maxBytes: no more is written after this much.
  ///   - encode: pixels to features.
  /// - Throws: `TrainerError.file` when the folder cannot be made.
  package init(
    recipe: ImageRecipe,
    encoder: EncoderDescription,
    identity: String,
    folder: String?,
    storage: FeatureStorage,
    maxBytes: Int = .max,
    encode: @escaping ([Float]) throws -> MatrixView<Float>
  ) throws(TrainerError) {
    self.recipe = recipe
    self.encode = encode
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

  /// The features of the picture in a file, `[features, featureWidth]`.
  ///
  /// - Throws: `ImageError` or `FileError` when it is no picture, or what the encoder throws.
  package func features(ofFile path: String) throws -> MatrixView<Float> {
    let file = try MappedFile(path: path)
    let name = Digest.of("\(key)\n\(Digest.of(file))")
    if let folder, let cached = read("\(folder)/\(name.prefix(2))/\(name).safetensors") {
      counts.read += 1
      return cached
    }
    let picture = try ImageFile.decode(bytes: file.bytes, name: path)
    let computed = round(try encode(try recipe.run(picture).values))
    counts.computed += 1
    if let folder { store(computed, in: "\(folder)/\(name.prefix(2))", as: name) }
    return computed
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
