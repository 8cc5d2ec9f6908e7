// SPDX-License-Identifier: Apache-2.0
// A dataset file of any size: an index of its records, each read when it is wanted.

internal import SEAFormat
internal import SEATensor

/// A file of records, indexed once; the records stay in the file.
///
/// The index takes 32 bytes a record, so that a file of ten gigabytes opens in a few hundred megabytes.
package struct Dataset: Sendable {
  /// What is known about a record without reading it again.
  package struct Entry: Sendable {
    fileprivate let start: Int
    fileprivate let length: UInt32
    /// Line of the file, counted from 1.
    package let line: UInt32
    /// Words of all turns.
    package let words: UInt32
    package let hasImage: Bool
  }

  /// The path as given.
  package let path: String
  /// The usable records, in the order of the file.
  package let entries: [Entry]
  /// Everything that was wrong or odd, in the order of the file, at most `faultLimit` of them.
  package let faults: [RecordFault]
  /// Records that cannot be used.
  package let faultCount: Int
  private let file: MappedFile

  /// Faults that are kept one by one; all are counted.
  package static let faultLimit = 100_000

  /// Reads every record once and remembers where it is.
  ///
  /// - Parameters:
  ///   - path: JSON (an array) or JSON lines.
  ///   - images: where pictures lie; nil: paths are not looked at.
  ///   - inspect: called for each usable sample; what it returns is the record's fault.
  ///   - progress: called now and then with bytes done of all.
  /// - Throws: `DatasetError` when the file cannot be read or is no dataset, or what `progress` throws.
  package init(
    path: String,
    images: ImageFolder? = nil,
    inspect: (Sample) -> String? = { _ in nil },
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    do throws(FileError) {
      file = try MappedFile(path: path)
    } catch {
      throw DatasetError.file(error)
    }
    self.path = path
    let bytes = file.bytes
    guard bytes.count > 0 else {
      throw DatasetError.notADataset(path: path, problem: "the file is empty")
    }
    var scan = DatasetScan(images: images)
    var splitter = RecordSplitter(bytes)
    if splitter.hasByteOrderMark {
      scan.add(
        RecordFault(line: 1, problem: "the file starts with a byte order mark", isRemark: true)
      )
    }
    var released = 0
    loop: while true {
      switch splitter.next() {
      case .end: break loop
      case .fault(let line, let problem): scan.add(RecordFault(line: line, problem: problem))
      case .record(let place): scan.read(bytes.slice(place.bytes), at: place, inspect)
      }
      if splitter.offset - released >= 32 << 20 {
        try progress(splitter.offset, bytes.count)
        file.release(released..<splitter.offset)
        released = splitter.offset
      }
    }
    try progress(bytes.count, bytes.count)
    entries = scan.entries
    faults = scan.faults
    faultCount = scan.faultCount
    guard scan.records > 0 else {
      throw DatasetError.notADataset(
        path: path,
        problem: scan.faults.first.map { "line \($0.line): \($0.problem)" }
          ?? "there is no record in it; expected a JSON array or one record a line"
      )
    }
    // Lines that are no objects at all are some other file; bad records are for the caller to list.
    guard scan.objects > 0 || splitter.isArray else {
      let first = scan.faults.first { !$0.isRemark }
      throw DatasetError.notADataset(
        path: path,
        problem: "no line is a record: expected a JSON array or one record a line; line "
          + "\(first?.line ?? 1): \(first?.problem ?? "")"
      )
    }
  }

  /// Usable records.
  package var count: Int { entries.count }

  /// The sample at `index` of the usable ones.
  ///
  /// - Throws: `DatasetError.record` when the file has changed since it was indexed.
  package func sample(_ index: Int) throws(DatasetError) -> Sample {
    let entry = entries[index]
    let bytes = file.bytes.slice(entry.start..<entry.start + Int(entry.length))
    do {
      return try DatasetScan.sample(bytes).sample
    } catch {
      throw .record(
        path: path,
        fault: RecordFault(line: Int(entry.line), problem: "the file has changed while in use")
      )
    }
  }

  /// Refuses a dataset with more faults than `limit`, or with nothing usable.
  ///
  /// - Throws: `DatasetError`.
  package func refuseFaults(above limit: Int) throws(DatasetError) {
    if faultCount > limit, let first = faults.first(where: { !$0.isRemark }) {
      throw .tooManyFaults(
        path: path,
        count: faultCount,
        records: faultCount + count,
        first: first
      )
    }
    guard count > 0 else { throw .empty(path: path, problem: "no record of it can be used") }
  }
}

/// What one pass over a file has found.
private struct DatasetScan {
  let images: ImageFolder?
  var entries: [Dataset.Entry] = []
  var faults: [RecordFault] = []
  var faultCount = 0
  var records = 0
  /// Records that are JSON objects, whatever is in them.
  var objects = 0
  /// Hashes of the ids seen: two ids that share one cost a wrong remark, nothing else.
  private var known: Set<Int> = []

  init(images: ImageFolder?) {
    self.images = images
  }

  mutating func add(_ fault: RecordFault) {
    if !fault.isRemark {
      faultCount += 1
      records += 1
    }
    if faults.count < Dataset.faultLimit { faults.append(fault) }
  }

  mutating func read(
    _ bytes: ByteView,
    at place: RecordPlace,
    _ inspect: (Sample) -> String?
  ) {
    let sample: Sample
    let remarks: [String]
    do {
      let json = try Self.json(bytes)
      if json.object != nil { objects += 1 }
      (sample, remarks) = try SampleReader.read(json)
    } catch let error as SampleProblem {
      add(RecordFault(line: place.line, id: error.id, problem: error.problem))
      return
    } catch {
      add(RecordFault(line: place.line, problem: "\(error)"))
      return
    }
    if let problem = imageProblem(sample) ?? inspect(sample) {
      add(RecordFault(line: place.line, id: sample.id, problem: problem))
      return
    }
    guard let line = UInt32(exactly: place.line) else {
      add(RecordFault(line: place.line, id: sample.id, problem: "more than 2³² lines"))
      return
    }
    for remark in remarks {
      add(RecordFault(line: place.line, id: sample.id, problem: remark, isRemark: true))
    }
    if !sample.id.isEmpty, !known.insert(sample.id.hashValue).inserted {
      add(
        RecordFault(
          line: place.line,
          id: sample.id,
          problem: "this id appeared before",
          isRemark: true
        )
      )
    }
    records += 1
    entries.append(
      Dataset.Entry(
        start: place.bytes.lowerBound,
        length: UInt32(place.bytes.count),
        line: line,
        words: UInt32(clamping: sample.wordCount),
        hasImage: sample.image != nil
      )
    )
  }

  private func imageProblem(_ sample: Sample) -> String? {
    guard let images, let name = sample.image else { return nil }
    do throws(DatasetError) {
      _ = try images.path(of: name)
      return nil
    } catch {
      return error.description
    }
  }

  static func sample(_ bytes: ByteView) throws -> (sample: Sample, remarks: [String]) {
    try SampleReader.read(try json(bytes))
  }

  private static func json(_ bytes: ByteView) throws -> JSONValue {
    let limits = JSONLimits(
      depth: 16,
      bytes: RecordSplitter.maxRecordBytes,
      loneSurrogates: .replaced
    )
    return try bytes.withSpan { (span) throws(JSONError) in
      try JSONScanner.parse(span, limits: limits)
    }
  }
}
