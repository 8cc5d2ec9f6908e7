// SPDX-License-Identifier: Apache-2.0
// The pictures that a dataset names: each once, with the ids of the records that name it.

package import SEADataset
internal import SEATensor

/// The image list of a run.
package struct LabelData: Sendable {
  /// Distinct names of pictures as the records write them, in the order of their first record.
  package let images: TextPool
  /// SHA-256 of the names, each followed by a line feed.
  package let digest: String
  /// Records without a picture.
  package let withoutImage: Int
  /// Records that cannot be used and were left out.
  package let faults: Int
  /// What was wrong or odd, as the dataset's reader tells it.
  package let remarks: [RecordFault]
  private let folder: ImageFolder
  private let dataset: Dataset
  private let ids: TextPool
  /// Ids of each picture's records, and its first record.
  private let idsOfImage: [[UInt32]]
  private let firstRecord: [Int]

  /// Most pictures: a key's entry numbers them in 32 bits.
  private static let limit = 1 << 31

  /// Reads the data once.
  ///
  /// - Parameters:
  ///   - path: JSON (an array) or JSON lines of records `{id, image, conversations}`.
  ///   - folderPath: the folder that names of pictures are relative to.
  ///   - skipsBad: leave out records that cannot be used instead of refusing the data.
  ///   - progress: bytes done of all.
  /// - Throws: `DatasetError`, `LabelError.empty` when no record has a picture, or what `progress`
  ///   throws.
  package init(
    path: String,
    images folderPath: String,
    skipsBad: Bool,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    folder = try ImageFolder(path: folderPath)
    dataset = try Dataset(path: path, images: folder, progress: progress)
    if !skipsBad { try dataset.refuseFaults(above: 0) }
    var (images, ids) = (TextPool(), TextPool())
    var (idsOfImage, firstRecord): ([[UInt32]], [Int]) = ([], [])
    var withoutImage = 0
    var owners: [Int] = []
    for record in 0..<dataset.count {
      let sample = try dataset.sample(record)
      guard let name = sample.image else {
        withoutImage += 1
        continue
      }
      guard images.count < Self.limit else { throw LabelError.usage("more than 2³¹ pictures") }
      let (image, isNew) = images.insert(name.utf8)
      if isNew {
        firstRecord.append(record)
        idsOfImage.append([])
      }
      guard !sample.id.isEmpty, sample.id.utf8.count <= LabelFileLayout.maximumKey else { continue }
      if ids.insert(sample.id.utf8).isNew { owners.append(image) }
    }
    guard images.count > 0 else {
      throw LabelError.empty(path: path, what: "records with a picture")
    }
    // A picture's own name is its key before it is another's id.
    for (id, image) in owners.enumerated() where images.find(ids.bytes[ids.range(id)]) == nil {
      idsOfImage[image].append(UInt32(id))
    }
    var digest = Digest()
    for image in 0..<images.count {
      digest.update(images.bytes[images.range(image)])
      digest.update([UInt8(ascii: "\n")])
    }
    self.images = images
    self.ids = ids
    self.idsOfImage = idsOfImage
    self.firstRecord = firstRecord
    self.withoutImage = withoutImage
    self.digest = digest.hexadecimal
    faults = dataset.faultCount
    remarks = dataset.faults
  }

  /// The keys of a picture: its name, then the ids of its records.
  package func keys(_ image: Int) -> [String] {
    [images[image]] + idsOfImage[image].map { ids[Int($0)] }
  }

  /// Where a picture lies.
  ///
  /// - Throws: `DatasetError`.
  package func path(_ image: Int) throws -> String { try folder.path(of: images[image]) }

  /// The answers of the first record with a picture, which for captions are the caption.
  ///
  /// - Throws: `DatasetError`.
  package func caption(_ image: Int) throws -> String {
    try dataset.sample(firstRecord[image]).rounds.map(\.answer).joined(separator: "\n")
  }
}
