// SPDX-License-Identifier: Apache-2.0
// Word directions made by a text tower, kept by a hash of everything they depend on.

import SEAFormat
package import SEARuntime
import SEATensor

/// Places words in the joint space.
package struct WordEmbedding {
  private let encoder: LabelEncoder
  private let words: WordList
  private let prompts: PromptSet
  private let execution: Execution

  /// Words that are placed together: memory stays at some tens of MB.
  private static let chunk = 2048

  /// Version of the arithmetic and of the files.
  private static let version = "2"

  /// A task.
  package init(
    _ encoder: LabelEncoder,
    words: WordList,
    prompts: PromptSet,
    on execution: Execution
  ) {
    self.encoder = encoder
    self.words = words
    self.prompts = prompts
    self.execution = execution
  }

  /// A hash of everything that the directions depend on.
  package var key: String {
    Digest.of(
      Array(
        "\(Self.version) \(encoder.digest) \(encoder.weights.rawValue) \(words.digest) \(prompts.digest)"
          .utf8
      )
    )
  }

  /// The directions of all words, from the cache or made for it.
  ///
  /// - Parameters:
  ///   - cache: where they are kept.
  ///   - progress: words done and words in all, while they are made.
  ///   - isCancelled: asked after each chunk.
  /// - Returns: the directions, mapped.
  /// - Throws: `LabelError`, or what the text tower and the files throw.
  package func matrix(
    cache: LabelCache,
    progress: (Int, Int) -> Void = { _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> WordMatrix {
    let rows = cache.path("words-\(key.prefix(32)).f32.safetensors")
    let panels = cache.path("words-\(key.prefix(32)).q8.safetensors")
    if let matrix = try? open(rows: rows, panels: panels) { return matrix }
    try make(rows: rows, panels: panels, progress: progress, isCancelled: isCancelled)
    return try open(rows: rows, panels: panels)
  }

  private func open(rows: String, panels: String) throws -> WordMatrix {
    let (exact, packed) = (try SafetensorsFile(path: rows), try SafetensorsFile(path: panels))
    for (file, path) in [(exact, rows), (packed, panels)] {
      guard file.metadata("key") == key else {
        throw LabelError.labelFile(path: path, problem: "made from something else")
      }
      try verify(file)
    }
    func floats(_ name: String, _ count: Int) throws -> [Float] {
      let bytes = try packed.bytes(of: name)
      guard bytes.count == count * 4 else {
        throw LabelError.labelFile(path: panels, problem: "\(name) are not \(count) values")
      }
      return (0..<count).map { index in
        Float(bitPattern: bytes.loadLittleEndian(at: index * 4, as: UInt32.self))
      }
    }
    return try WordMatrix(
      rows: exact.bytes(of: WordMatrix.Tensor.rows),
      panels: packed.bytes(of: WordMatrix.Tensor.panels),
      errors: floats(WordMatrix.Tensor.errors, words.count),
      lengths: floats(WordMatrix.Tensor.lengths, words.count),
      center: floats(WordMatrix.Tensor.center, encoder.jointWidth)
    )
  }

  /// Compares the checksum of all tensors with the one that stands in the metadata.
  private func verify(_ file: SafetensorsFile) throws {
    var crc = CRC32C()
    for tensor in file.tensors { file.bytes(of: tensor).withSpan { crc.update($0) } }
    guard file.metadata("crc32c") == crc.digits else {
      throw LabelError.labelFile(path: file.path, problem: "damaged: its checksum does not hold")
    }
  }

  private func make(
    rows rowsPath: String,
    panels panelsPath: String,
    progress: (Int, Int) -> Void,
    isCancelled: () -> Bool
  ) throws {
    let width = encoder.jointWidth
    let group = WordMatrix.group(width: width)
    guard
      let panelBytes = PackedMatrix.byteCount(rows: words.count, columns: width, group: group)
    else {
      throw LabelError.encoder(path: encoder.path, problem: "its joint space is too wide")
    }
    func metadata(_ crc: String) -> [(key: String, value: String)] {
      [(key: "key", value: key), (key: "crc32c", value: crc)]
    }
    let blank = metadata("00000000")
    var rowsFile = try SafetensorsWriter(
      path: rowsPath,
      tensors: [SafetensorsTensor(WordMatrix.Tensor.rows, .float32, [words.count, width])],
      metadata: blank
    )
    var rowsCRC = CRC32C()
    var center = WordCenter(width: width)
    for range in chunks {
      if isCancelled() { throw LabelError.cancelled }
      let directions = try directions(of: range)
      center.add(directions)
      let bytes = Self.bytes(directions.array())
      rowsCRC.update(bytes.span)
      try rowsFile.write(bytes, to: WordMatrix.Tensor.rows)
      progress(range.upperBound, words.count)
    }
    try rowsFile.finish(metadata: metadata(rowsCRC.digits))
    try pack(rowsPath, center, panelBytes: panelBytes, to: panelsPath, metadata, isCancelled)
  }

  private var chunks: [Range<Int>] {
    stride(from: 0, to: words.count, by: Self.chunk).map {
      $0..<min($0 + Self.chunk, words.count)
    }
  }

  /// Packs the rows of a finished file without their mean.
  private func pack(
    _ rowsPath: String,
    _ center: WordCenter,
    panelBytes: Int,
    to path: String,
    _ metadata: (String) -> [(key: String, value: String)],
    _ isCancelled: () -> Bool
  ) throws {
    let width = encoder.jointWidth
    let rows = try PlainMatrix(
      SafetensorsFile(path: rowsPath).bytes(of: WordMatrix.Tensor.rows),
      rows: words.count,
      columns: width,
      storage: .float32
    )
    var file = try SafetensorsWriter(
      path: path,
      tensors: [
        SafetensorsTensor(WordMatrix.Tensor.panels, .uint8, [panelBytes]),
        SafetensorsTensor(WordMatrix.Tensor.errors, .float32, [words.count]),
        SafetensorsTensor(WordMatrix.Tensor.lengths, .float32, [words.count]),
        SafetensorsTensor(WordMatrix.Tensor.center, .float32, [width]),
      ],
      metadata: metadata("00000000")
    )
    var crc = CRC32C()
    var (errors, lengths): ([Float], [Float]) = ([], [])
    for range in chunks {
      if isCancelled() { throw LabelError.cancelled }
      let part = try MatrixView<Float>(rows: range.count, columns: width)
      for row in range {
        let place = row - range.lowerBound
        execution.kernels.unpack(rows, row: row, into: part.rows(place..<place + 1))
      }
      center.subtract(from: part)
      let packing = try PanelPacking(part, pool: execution.pool)
      packing.bytes.withSpan { crc.update($0) }
      try file.write(packing.bytes, to: WordMatrix.Tensor.panels)
      errors += packing.errors
      lengths += packing.lengths
    }
    for (name, values) in [
      (WordMatrix.Tensor.errors, errors), (WordMatrix.Tensor.lengths, lengths),
      (WordMatrix.Tensor.center, center.mean),
    ] {
      let bytes = Self.bytes(values)
      crc.update(bytes.span)
      try file.write(bytes, to: name)
    }
    try file.finish(metadata: metadata(crc.digits))
  }

  /// The directions of some words: each sentence to length 1, their mean, and that to length 1.
  private func directions(of range: Range<Int>) throws -> MatrixView<Float> {
    let mean = try MatrixView<Float>(rows: range.count, columns: encoder.jointWidth)
    let count = prompts.templates.count
    let step = max(1, Self.chunk / count)
    for start in stride(from: range.lowerBound, to: range.upperBound, by: step) {
      let part = start..<min(start + step, range.upperBound)
      var texts: [[Int32]] = []
      for index in part {
        for text in prompts.texts(of: words[index]) {
          texts.append(try encoder.model.ids(ofWord: text))
        }
      }
      let points = try encoder.model.requireTextTower().encode(texts, on: execution)
      try scale(points, first: part.lowerBound)
      for index in part {
        let row = (index - part.lowerBound) * count
        let target = mean.rows(index - range.lowerBound..<index - range.lowerBound + 1)
        for sentence in row..<row + count {
          execution.kernels.add(points.rows(sentence..<sentence + 1), to: target)
        }
      }
    }
    if count > 1 { try scale(mean, first: range.lowerBound) }
    return mean
  }

  /// Scales rows to length 1, naming the word where that cannot be.
  private func scale(_ points: MatrixView<Float>, first: Int) throws(LabelError) {
    try points.scaleToUnitLength(what: "a word from '\(words[first].printable())' on")
  }

  private static func bytes(_ values: [Float]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * 4)
    for value in values {
      let bits = value.bitPattern
      for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
    }
    return bytes
  }
}
