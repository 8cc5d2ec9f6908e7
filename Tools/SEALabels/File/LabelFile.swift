// SPDX-License-Identifier: Apache-2.0
// A label file, mapped and checked: the labels of a picture by the name that the data give it.

internal import SEAFormat
package import SEAImage
import SEATensor

/// An open label file.
///
/// Opening checks the container, the header, and every table by bounds and checksum; a record's
/// checksum is checked when the record is read. Nothing of the records is read before.
package struct LabelFile: Sendable {
  /// The path as given.
  package let path: String
  /// How the labels were made.
  package let header: LabelHeader
  /// Sums over all patches.
  package let sums: PatchSums

  private let mapping: MappedFile
  private let format: LabelRecordFormat
  private let start: Int
  private let trailer: LabelTrailer

  /// Opens a file.
  ///
  /// - Throws: `LabelError` naming what is wrong with it.
  package init(path: String) throws(LabelError) {
    do throws(FileError) { mapping = try MappedFile(path: path) } catch { throw .file(error) }
    let bytes = mapping.bytes
    func refuse(_ problem: String) -> LabelError { .labelFile(path: path, problem: problem) }
    let prefix = LabelFileLayout.prefixBytes
    guard bytes.count >= prefix + LabelFileLayout.trailerBytes,
      bytes.slice(0..<8).array() == LabelFileLayout.magic
    else { throw refuse("not a label file") }
    let version = bytes.loadLittleEndian(at: 8, as: UInt32.self)
    guard version == LabelFileLayout.version else {
      throw refuse(
        "format version \(version), this sea reads version \(LabelFileLayout.version)"
      )
    }
    guard bytes.loadLittleEndian(at: 20, as: UInt32.self) == 0 else {
      throw refuse("bytes 20 to 23 are not 0: the file is damaged")
    }
    let stated = bytes.loadLittleEndian(at: 24, as: UInt64.self)
    guard stated == UInt64(bytes.count) else {
      throw refuse("\(bytes.count) bytes, its header says \(stated): the file is incomplete")
    }
    let length = Int(bytes.loadLittleEndian(at: 12, as: UInt32.self))
    let end = bytes.count - LabelFileLayout.trailerBytes
    guard length <= LabelHeader.maximumBytes, prefix + length <= end, length % 64 == 32 else {
      throw refuse("a header of \(length) bytes")
    }
    let text = bytes.slice(prefix..<prefix + length)
    guard LabelChecksum.of(text) == bytes.loadLittleEndian(at: 16, as: UInt32.self) else {
      throw refuse("the header's checksum does not hold: the file is damaged")
    }
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONScanner.parse(text.array())
    } catch {
      throw refuse("header: \(error)")
    }
    self.path = path
    header = try LabelHeader(json: json, path: path)
    format = LabelRecordFormat(header)
    start = prefix + length
    trailer = try Self.trailer(bytes.slice(end..<bytes.count), refuse)
    try Self.check(trailer, header, start: start, end: end, refuse)
    let sections = bytes.slice(trailer.sums..<end)
    guard LabelChecksum.of(sections) == trailer.sectionsCRC else {
      throw refuse("the tables' checksum does not hold: the file is damaged")
    }
    sums = PatchSums(bytes.slice(trailer.sums..<trailer.vocabulary), width: header.width)
    try checkTables(refuse)
  }

  private static func trailer(
    _ bytes: ByteView,
    _ refuse: (String) -> LabelError
  ) throws(LabelError) -> LabelTrailer {
    guard bytes.slice(64..<72).array() == LabelFileLayout.endMagic,
      LabelChecksum.of(bytes.slice(0..<60))
        == bytes.loadLittleEndian(at: 60, as: UInt32.self)
    else { throw refuse("its end is damaged or missing") }
    var values: [Int] = []
    for index in 0..<7 {
      guard let value = Int(exactly: bytes.loadLittleEndian(at: 8 * index, as: UInt64.self)) else {
        throw refuse("a table lies outside the file")
      }
      values.append(value)
    }
    return LabelTrailer(
      sums: values[0],
      vocabulary: values[1],
      index: values[2],
      keys: values[3],
      keyText: values[4],
      records: values[5],
      keyCount: values[6],
      sectionsCRC: bytes.loadLittleEndian(at: 56, as: UInt32.self)
    )
  }

  /// Checks that the sections follow one another and have the sizes that their counts ask for.
  private static func check(
    _ trailer: LabelTrailer,
    _ header: LabelHeader,
    start: Int,
    end: Int,
    _ refuse: (String) -> LabelError
  ) throws(LabelError) {
    let places =
      [start, trailer.sums, trailer.vocabulary, trailer.index, trailer.keys]
      + [trailer.keyText, end]
    guard zip(places, places.dropFirst()).allSatisfy({ $0 <= $1 }) else {
      throw refuse("its tables do not lie within the file, one after the other")
    }
    guard trailer.records == header.range.count else {
      throw refuse("\(trailer.records) records, the header says \(header.range.count)")
    }
    guard trailer.vocabulary - trailer.sums == 8 + 8 * header.width,
      trailer.index - trailer.vocabulary >= 8 * header.wordCount,
      trailer.keys - trailer.index == 8 * trailer.records,
      trailer.keyCount <= (trailer.keyText - trailer.keys) / LabelFileLayout.keyBytes,
      trailer.keyText - trailer.keys == LabelFileLayout.keyBytes * trailer.keyCount
    else { throw refuse("a table has another size than its count asks for") }
  }

  /// Checks every number of the tables that is used as a place.
  private func checkTables(_ refuse: (String) -> LabelError) throws(LabelError) {
    var previous = start
    for record in 0..<trailer.records {
      let offset = self.offset(record)
      guard offset <= trailer.sums,
        record == 0
          ? offset == start : offset >= previous && format.byteCounts.contains(offset - previous)
      else { throw refuse("record \(record) does not follow the one before it") }
      previous = offset
    }
    let last = trailer.sums - previous
    guard trailer.records == 0 ? last == 0 : format.byteCounts.contains(last) else {
      throw refuse("the last record does not end where the tables start")
    }
    let text = mapping.bytes.count - LabelFileLayout.trailerBytes - trailer.keyText
    for key in 0..<trailer.keyCount {
      let (range, record) = self.key(key)
      guard range.upperBound <= text, range.count <= LabelFileLayout.maximumKey,
        record < trailer.records
      else { throw refuse("key \(key) lies outside its table") }
    }
    var end = 0
    let room = trailer.index - trailer.vocabulary - 8 * header.wordCount
    for word in 0..<header.wordCount {
      let next = wordEnd(word)
      guard next >= end, next <= room else { throw refuse("word \(word) lies outside its table") }
      end = next
    }
  }

  // MARK: - Tables

  private func offset(_ record: Int) -> Int {
    Int(
      clamping: mapping.bytes.loadLittleEndian(
        at: trailer.index + 8 * record,
        as: UInt64.self
      )
    )
  }

  private func wordEnd(_ word: Int) -> Int {
    Int(
      clamping: mapping.bytes.loadLittleEndian(
        at: trailer.vocabulary + 8 * word,
        as: UInt64.self
      )
    )
  }

  private func key(_ index: Int) -> (range: Range<Int>, record: Int) {
    let place = trailer.keys + LabelFileLayout.keyBytes * index
    // Capped where a sum with any length still fits; what is beyond the table is refused on opening.
    let start = Int(
      min(mapping.bytes.loadLittleEndian(at: place, as: UInt64.self), UInt64(Int64.max / 2))
    )
    let length = Int(mapping.bytes.loadLittleEndian(at: place + 8, as: UInt32.self))
    let record = Int(mapping.bytes.loadLittleEndian(at: place + 12, as: UInt32.self))
    return (start..<start + length, record)
  }

  // MARK: - What it holds

  /// The patch grid.
  package var grid: LabelGrid { header.grid }

  /// The recipe that the pictures were prepared with; training must use the same geometry.
  package var recipe: ImageRecipe { header.recipe }

  /// Number of pictures.
  package var count: Int { trailer.records }

  /// Number of keys.
  package var keyCount: Int { trailer.keyCount }

  /// Number of words.
  package var wordCount: Int { header.wordCount }

  /// Word `index`.
  ///
  /// - Precondition: `index` is below `wordCount`.
  package func word(_ index: Int) -> String {
    precondition(index >= 0 && index < wordCount, "word \(index) of \(wordCount)")
    let first = trailer.vocabulary + 8 * wordCount
    let range = (index == 0 ? 0 : wordEnd(index - 1))..<wordEnd(index)
    return String(
      decoding: mapping.bytes.slice(first + range.lowerBound..<first + range.upperBound).array(),
      as: UTF8.self
    )
  }

  /// All words, in order.
  package func words() -> [String] { (0..<wordCount).map { word($0) } }

  /// The record of a picture: by its path as the data write it, or by the id of a record of the data.
  ///
  /// - Complexity: O(log keys).
  package func record(forKey name: String) -> Int? {
    let wanted = Array(name.utf8)
    var (low, high) = (0, keyCount)
    while low < high {
      let middle = (low + high) / 2
      let text = keyBytes(middle)
      if text == wanted { return key(middle).record }
      if text.lexicographicallyPrecedes(wanted) { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// Key `index`, in the order of their bytes, and its record.
  package func keyEntry(_ index: Int) -> (name: String, record: Int) {
    precondition(index >= 0 && index < keyCount, "key \(index) of \(keyCount)")
    return (String(decoding: keyBytes(index), as: UTF8.self), key(index).record)
  }

  private func keyBytes(_ index: Int) -> [UInt8] {
    let range = key(index).range
    return mapping.bytes.slice(
      trailer.keyText + range.lowerBound..<trailer.keyText + range.upperBound
    ).array()
  }

  /// The bytes of a record.
  func bytes(ofRecord index: Int) -> ByteView {
    precondition(index >= 0 && index < count, "record \(index) of \(count)")
    let end = index + 1 < count ? offset(index + 1) : trailer.sums
    return mapping.bytes.slice(offset(index)..<end)
  }

  /// The labels of every patch of a record, by falling score.
  ///
  /// - Throws: `LabelError.labelFile` when the record is damaged or the file holds draws only.
  package func labels(ofRecord index: Int) throws(LabelError) -> [[PatchLabel]] {
    guard header.presampling == nil else {
      throw .labelFile(path: path, problem: "holds one draw a window, not all labels")
    }
    do throws(LabelRecordFormat.Damage) {
      return try format.labels(bytes(ofRecord: index))
    } catch {
      throw .labelFile(path: path, problem: "record \(index): \(error.problem)")
    }
  }

  /// The labels of every patch of a picture, or nil when the file does not know the picture.
  ///
  /// - Throws: `LabelError.labelFile`, as by record.
  package func labels(forKey name: String) throws(LabelError) -> [[PatchLabel]]? {
    guard let record = record(forKey: name) else { return nil }
    return try labels(ofRecord: record)
  }

  /// The draw of every window of a record; nil where a window has none.
  ///
  /// - Throws: `LabelError.labelFile` when the record is damaged or the file holds all labels.
  package func draws(ofRecord index: Int) throws(LabelError) -> [WindowLabel?] {
    guard header.presampling != nil else {
      throw .labelFile(path: path, problem: "holds all labels, not one draw a window")
    }
    do throws(LabelRecordFormat.Damage) {
      return try format.draws(bytes(ofRecord: index))
    } catch {
      throw .labelFile(path: path, problem: "record \(index): \(error.problem)")
    }
  }

  /// The draw of every window of a picture, or nil when the file does not know the picture.
  ///
  /// - Throws: `LabelError.labelFile`, as by record.
  package func draws(forKey name: String) throws(LabelError) -> [WindowLabel?]? {
    guard let record = record(forKey: name) else { return nil }
    return try draws(ofRecord: record)
  }

  /// True when a picture could not be used and stands in the file without labels.
  package func isSkipped(_ index: Int) -> Bool { format.isSkipped(bytes(ofRecord: index)) }

  /// Reads every record once.
  ///
  /// - Throws: `LabelError.labelFile` for the first damaged one.
  package func verify() throws(LabelError) {
    for record in 0..<count {
      if header.presampling == nil {
        _ = try labels(ofRecord: record)
      } else {
        _ = try draws(ofRecord: record)
      }
    }
  }

  /// Gives the pages of records that have been read back to the system.
  package func release(before record: Int) {
    mapping.release(start..<(record < count ? offset(record) : trailer.sums))
  }

  /// Refuses labels that were made with another geometry than pictures are trained with.
  ///
  /// - Throws: `LabelError.mismatch`.
  package func require(_ recipe: ImageRecipe) throws(LabelError) {
    // Only where a pixel of the picture ends up matters, not how its value is scaled.
    guard recipe.padFill == header.recipe.padFill, recipe.resizesLike(header.recipe) else {
      throw .mismatch(
        path: path,
        field: "recipe",
        stored: header.recipe.name,
        wanted: recipe.name
      )
    }
  }
}

extension ImageRecipe {
  /// Whether both show the same part of a picture in the same proportion; sizes may differ.
  fileprivate func resizesLike(_ other: ImageRecipe) -> Bool {
    switch (resize, other.resize) {
    case (.shortestEdge, .shortestEdge):
      return (crop == nil) == (other.crop == nil) && cropShare == other.cropShare
    case (.exact, .exact): return true
    case (nil, nil): return crop == other.crop
    default: return padFill != nil && other.padFill != nil && cropShare == 1 && other.cropShare == 1
    }
  }

  /// The kept part of the resized picture's shorter side.
  private var cropShare: Double {
    guard let crop else { return 1 }
    switch resize {
    case .shortestEdge(let side): return Double(crop.height) / Double(side)
    case .exact(let size): return Double(crop.height) / Double(size.height)
    case nil: return 1
    }
  }
}

extension LabelFile {
  /// Bytes of all records.
  var recordByteCount: Int { trailer.sums - start }
}
