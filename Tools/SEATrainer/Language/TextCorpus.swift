// SPDX-License-Identifier: Apache-2.0
// Text as token ids in memory, in pieces that an epoch puts in an order of its own.

package import SEADataset
package import SEALayers
internal import SEAText

/// Which tokens the model learns to say.
package enum TextTargets: String, Sendable, CaseIterable {
  /// All but those that every text starts with.
  case all
  /// Answers of conversations; text that is none counts as a whole.
  case answers
}

/// Documents as ids, each ended by the token that ends a text or an answer.
package struct TextCorpus: Sendable {
  /// Ids of all pieces, one after another.
  package private(set) var ids: [Int32] = []
  /// Whether the prediction of each counts.
  package private(set) var isTarget: [Bool] = []
  /// Where each piece starts, and the end of the last: documents, long ones cut.
  package private(set) var starts = [0]

  private let tokenizer: SampleTokenizer
  private let targets: TextTargets
  private let longest: Int

  /// Documents that are left out because the template has no place for their system text.
  package private(set) var omitted = 0

  /// Reads and tokenises files.
  ///
  /// - Parameters:
  ///   - files: the text.
  ///   - tokenizer: with the template in which conversations are written.
  ///   - targets: what is learned.
  ///   - longest: tokens of the longest piece.
  ///   - progress: called now and then with bytes done of all.
  /// - Throws: `TrainerError.badInput`, or what `progress` throws.
  package init(
    _ files: [TextFile],
    _ tokenizer: SampleTokenizer,
    targets: TextTargets,
    longest: Int,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    self.tokenizer = tokenizer
    self.targets = targets
    self.longest = max(longest, 2)
    let total = files.reduce(0) { $0 + $1.byteCount }
    var before = 0
    for file in files {
      var shown = 0
      try file.forEachDocument { document, done in
        try add(document)
        guard done - shown >= 1 << 18 else { return }
        shown = done
        try progress(before + done, total)
      }
      before += file.byteCount
    }
    guard isTarget.contains(true) else {
      throw TrainerError.badInput(path: files.first?.path ?? "", problem: "nothing to learn in it")
    }
  }

  /// Pieces.
  package var count: Int { starts.count - 1 }

  /// A piece as a sequence of its own.
  package func sample(_ piece: Int) -> TrainingSample {
    let range = starts[piece]..<starts[piece + 1]
    return TrainingSample(ids: Array(ids[range]), isTarget: Array(isTarget[range]))
  }

  // MARK: - Documents

  private mutating func add(_ document: TextDocument) throws {
    switch document {
    case .text(let bytes, let starts, let ends): add(bytes, starts: starts, ends: ends)
    case .conversation(let sample):
      guard sample.system == nil || tokenizer.template.takesSystem else {
        omitted += 1
        return
      }
      let encoded = try tokenizer.encode(sample)
      let prefix = tokenizer.tokenizer.settings.prefix.count
      for index in encoded.ids.indices {
        ids.append(encoded.ids[index])
        isTarget.append(targets == .all ? index >= prefix : encoded.isTarget[index])
      }
      close()
    }
  }

  /// Adds a text, or a part of one.
  private mutating func add(_ bytes: [UInt8], starts: Bool, ends: Bool) {
    let tokenizer = tokenizer.tokenizer
    if starts {
      ids += tokenizer.settings.prefix
      isTarget += tokenizer.settings.prefix.map { _ in false }
    }
    let text = tokenizer.encode(bytes: bytes, recognizesSpecial: false, addsTemplate: false)
    ids += text
    isTarget += text.map { _ in true }
    if ends, let end = tokenizer.settings.special.end {
      ids.append(end)
      isTarget.append(true)
    }
    close()
  }

  /// Ends a piece, or several where it would be too long.
  private mutating func close() {
    var start = starts[starts.count - 1]
    while ids.count - start > longest {
      start += longest
      starts.append(start)
    }
    if ids.count > start { starts.append(ids.count) }
  }
}

/// A corpus as one endless text, the pieces of every epoch in a new order.
package final class TextStream {
  private let corpus: TextCorpus
  private let seed: UInt64
  /// Tokens of an epoch.
  package let length: Int

  private var epoch = -1
  private var order: [Int] = []
  /// Where each piece of the order starts within the epoch.
  private var places: [Int] = []

  /// A stream whose orders follow from the seed.
  package init(_ corpus: TextCorpus, seed: UInt64) {
    self.corpus = corpus
    self.seed = seed
    length = corpus.ids.count
  }

  /// Some tokens from a place on, which depend on nothing else.
  package func sample(at position: Int, count: Int) -> TrainingSample {
    var sample = TrainingSample(ids: [], isTarget: [])
    sample.ids.reserveCapacity(count)
    sample.isTarget.reserveCapacity(count)
    var position = position
    while sample.ids.count < count {
      prepare(position / length)
      let offset = position % length
      let index = piece(at: offset)
      let piece = order[index]
      let start = corpus.starts[piece] + offset - places[index]
      let end = min(corpus.starts[piece + 1], start + count - sample.ids.count)
      sample.ids += corpus.ids[start..<end]
      sample.isTarget += corpus.isTarget[start..<end]
      position += end - start
    }
    return sample
  }

  private func prepare(_ wanted: Int) {
    guard wanted != epoch else { return }
    epoch = wanted
    var random = CounterRandom(seed: seed, .order, wanted)
    order = Array(0..<corpus.count)
    random.shuffle(&order)
    places = []
    places.reserveCapacity(order.count)
    var place = 0
    for piece in order {
      places.append(place)
      place += corpus.starts[piece + 1] - corpus.starts[piece]
    }
  }

  /// The last piece of the order that starts at or before `offset`.
  private func piece(at offset: Int) -> Int {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle] <= offset { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }
}
