// SPDX-License-Identifier: Apache-2.0
// The labels of an image list, block by block, so that no moment can lose more than one.

internal import SEADataset
internal import SEAFormat
internal import SEAImage
import SEAModel
package import SEARuntime
import SEATensor

/// How a run's sign is chosen.
package enum SignChoice: String, Sendable, CaseIterable {
  /// By calibration, where there are enough captions, else by the table.
  case automatic = "auto"
  case negative = "neg"
  case positive = "pos"
}

/// What a run is to do beyond its inputs.
package struct LabelSettings: Sendable {
  package var feature: LabelFeature
  package var sign: SignChoice
  package var topN: Int
  package var presampling: Presampling?
  package var shard: LabelShard?
  /// Pictures that cannot be used get no labels instead of ending the run.
  package var skipsBad: Bool
  /// Go on with what an earlier run has left.
  package var resumes: Bool

  /// The defaults for a kind of feature.
  package init(feature: LabelFeature) {
    self.feature = feature
    sign = .automatic
    topN = 10
    presampling = nil
    shard = nil
    skipsBad = false
    resumes = false
  }
}

/// What a run tells while it works.
package enum LabelNews {
  /// Pictures looked at for the sign, of all.
  case calibrating(done: Int, total: Int)
  /// The sign contradicts the method's table.
  case contradiction(SignCalibration, table: ScoreSign)
  /// Pictures done before, and blocks of the ledger that were damaged and are made again.
  case resumed(images: Int, dropped: Int)
  /// A picture that cannot be used.
  case skipped(image: String, problem: String)
  /// Pictures labelled in all, of all.
  case labelled(done: Int, total: Int)
}

/// A run that makes one label file.
package final class LabelRun {
  private let output: String
  private let data: LabelData
  private let encoder: LabelEncoder
  private let words: WordList
  private let matrix: WordMatrix
  private let prompts: PromptSet
  private let settings: LabelSettings
  private let execution: Execution
  private let patches: PatchEncoder
  private let matcher: Matcher

  /// Pictures of a block at most, and seconds after which a block is closed.
  private static let blockImages = 32
  private static let blockTime = Duration.seconds(20)

  /// Captions that a calibration looks at.
  package static let calibrationPairs = 256

  /// A run.
  ///
  /// - Throws: `LabelError` when the output is refused or the encoder has not the kind of feature.
  package init(
    output: String,
    data: LabelData,
    encoder: LabelEncoder,
    words: WordList,
    matrix: WordMatrix,
    prompts: PromptSet,
    settings: LabelSettings,
    on execution: Execution
  ) throws {
    self.output = output
    self.data = data
    self.encoder = encoder
    self.words = words
    self.matrix = matrix
    self.prompts = prompts
    self.settings = settings
    self.execution = execution
    patches = try PatchEncoder(encoder, feature: settings.feature, on: execution)
    matcher = Matcher(matrix, topN: settings.topN, on: execution)
  }

  /// Refuses an output with unfinished work, unless the run goes on with it.
  ///
  /// - Throws: `LabelError.usage`.
  package static func refuseWork(at output: String, resumes: Bool) throws(LabelError) {
    guard !resumes, BlockStore.isInUse(output) else { return }
    throw .usage(
      "\(BlockStore.folder(of: output).printable(limit: 4096)): holds unfinished labels; "
        + "--resume goes on with them, removing the folder starts anew"
    )
  }

  /// Makes the file.
  ///
  /// - Parameters:
  ///   - tell: called with news.
  ///   - isCancelled: asked after each picture; what is done is kept.
  /// - Returns: the header of the file.
  /// - Throws: `LabelError`, or what reading pictures and writing throw.
  package func run(
    tell: (LabelNews) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> LabelHeader {
    if settings.resumes, !BlockStore.isInUse(output), let file = try? LabelFile(path: output) {
      let header = try self.header(like: file.header, path: output)
      if header.shard == file.header.shard {
        tell(.labelled(done: header.range.count, total: header.range.count))
        return header
      }
    }
    try Self.refuseWork(at: output, resumes: settings.resumes)
    let store = try BlockStore(output: output)
    let header = try start(store, tell, isCancelled)
    let range = header.range
    let dropped = try store.load(range)
    var done = store.entries.reduce(0) { $0 + $1.count }
    if done > 0 || dropped > 0 { tell(.resumed(images: done, dropped: dropped)) }
    do {
      while let gap = store.gap(in: range) {
        let (block, failure) = label(gap, header) { bad in
          if let bad { tell(.skipped(image: bad.image, problem: bad.problem)) }
          done += 1
          tell(.labelled(done: done, total: range.count))
        } isCancelled: {
          isCancelled()
        }
        try store.add(block)
        if let failure { throw failure }
        if isCancelled(), store.gap(in: range) != nil { throw LabelError.cancelled }
      }
    } catch {
      if store.entries.isEmpty { store.remove() }
      throw error
    }
    try assemble(store, header)
    store.remove()
    return header
  }

  // MARK: - The header

  /// The header with the sign that `stored` has settled, refusing any other difference.
  private func header(like stored: LabelHeader, path: String) throws(LabelError) -> LabelHeader {
    var wanted = header(sign: stored.sign, calibration: nil)
    if settings.sign == .automatic, stored.signChoice == wanted.signChoice {
      wanted.calibration = stored.calibration
    } else if settings.sign != .automatic {
      wanted.sign = settings.sign == .negative ? .negative : .positive
    }
    if let difference = stored.difference(from: wanted) {
      throw .mismatch(
        path: path,
        field: difference.field,
        stored: difference.own,
        wanted: difference.other
      )
    }
    guard stored.shard == wanted.shard else {
      throw .mismatch(
        path: path,
        field: "shard",
        stored: Self.describe(stored.shard),
        wanted: Self.describe(wanted.shard)
      )
    }
    return wanted
  }

  private static func describe(_ shard: LabelShard?) -> String {
    shard.map { "\($0.index)/\($0.count)" } ?? "none"
  }

  /// The stored header of a run that goes on, else a new one.
  private func start(
    _ store: BlockStore,
    _ tell: (LabelNews) -> Void,
    _ isCancelled: () -> Bool
  ) throws -> LabelHeader {
    if let stored = try store.storedHeader() {
      return try header(like: stored, path: store.folder + "/run.json")
    }
    let table = settings.feature.tableSign(for: encoder.encoder)
    let header: LabelHeader
    // Without what words share a negative score says nothing: there is no sign to find.
    switch settings.feature.removesRedundancy ? .positive : settings.sign {
    case .negative: header = self.header(sign: .negative, calibration: nil)
    case .positive: header = self.header(sign: .positive, calibration: nil)
    case .automatic:
      let calibration = try calibrate(tell, isCancelled)
      let sign = calibration?.sign ?? table
      header = self.header(sign: sign, calibration: calibration)
      if let calibration, sign != table { tell(.contradiction(calibration, table: table)) }
    }
    try store.store(header)
    return header
  }

  private func header(sign: ScoreSign, calibration: SignCalibration?) -> LabelHeader {
    LabelHeader(
      encoderName: encoder.encoder.family,
      encoderDigest: encoder.digest,
      weights: encoder.weights.rawValue,
      wordCount: words.count,
      wordDigest: words.digest,
      promptSet: prompts.name,
      promptDigest: prompts.digest,
      promptCount: prompts.templates.count,
      feature: settings.feature.json,
      sign: sign,
      signChoice: settings.sign == .automatic ? "auto" : "given",
      calibration: calibration,
      recipe: encoder.recipe,
      grid: encoder.grid,
      topN: settings.topN,
      images: data.images.count,
      imageDigest: data.digest,
      width: encoder.jointWidth,
      presampling: settings.presampling,
      shard: settings.shard
    )
  }

  // MARK: - The sign

  /// The mean rank of caption words for both signs over the first pictures whose captions have some;
  /// nil when there are not enough of them.
  ///
  /// - Source: reference.md G.2.
  private func calibrate(
    _ tell: (LabelNews) -> Void,
    _ isCancelled: () -> Bool
  ) throws -> SignCalibration? {
    let finder = CaptionWords(words)
    var chosen: [(image: Int, words: [Int])] = []
    for image in 0..<data.images.count where chosen.count < Self.calibrationPairs {
      let found = finder.find(in: try data.caption(image))
      if !found.isEmpty { chosen.append((image, found)) }
    }
    guard chosen.count >= Self.calibrationPairs else { return nil }
    var (count, positive, negative) = (0, 0.0, 0.0)
    var pairs = 0
    for (done, pair) in chosen.enumerated() {
      if isCancelled() { throw LabelError.cancelled }
      tell(.calibrating(done: done, total: chosen.count))
      let directions: MatrixView<Float>
      do {
        let path = try data.path(pair.image)
        directions = try patches.directions(of: MappedFile(path: path).bytes, name: path)
      } catch  where settings.skipsBad && Self.isPicture(error) {
        continue
      }
      let extremes = try WordExtremes(directions, matrix, on: execution)
      pairs += 1
      for word in pair.words {
        positive += extremes.rank(word, sign: .positive)
        negative += extremes.rank(word, sign: .negative)
        count += 1
      }
    }
    tell(.calibrating(done: chosen.count, total: chosen.count))
    guard count > 0 else { return nil }
    return SignCalibration(
      pairs: pairs,
      words: count,
      positive: positive / Double(count),
      negative: negative / Double(count)
    )
  }

  // MARK: - The labels

  /// The first pictures of a range as a block: closed when it is full, old or cancelled, or by a
  /// failure, which costs one picture.
  private func label(
    _ range: Range<Int>,
    _ header: LabelHeader,
    done: ((image: String, problem: String)?) -> Void,
    isCancelled: () -> Bool
  ) -> (block: LabelBlock, failure: (any Error)?) {
    let format = LabelRecordFormat(header)
    var block = LabelBlock(first: range.lowerBound, width: header.width)
    var seen: [String: (directions: MatrixView<Float>, labels: [[PatchLabel]])] = [:]
    let clock = ContinuousClock()
    let start = clock.now
    for image in range.prefix(Self.blockImages) {
      let name = data.images[image]
      do {
        let path = try data.path(image)
        let bytes = try MappedFile(path: path).bytes
        // The same picture under several names is looked at once a block.
        let digest = Digest.of(bytes.array())
        let found = try seen[digest] ?? look(bytes, path: path, header)
        seen[digest] = found
        block.sums.add(found.directions)
        block.records.append(encode(found.labels, name: name, header, format))
        done(nil)
      } catch  where Self.isPicture(error) {
        guard settings.skipsBad else { return (block, Self.refusal(of: name, error)) }
        block.records.append(format.skipped())
        done((name, "\(error)"))
      } catch {
        return (block, error)
      }
      if isCancelled() || clock.now - start > Self.blockTime { break }
    }
    return (block, nil)
  }

  private func look(
    _ bytes: ByteView,
    path: String,
    _ header: LabelHeader
  ) throws -> (directions: MatrixView<Float>, labels: [[PatchLabel]]) {
    if settings.feature.removesRedundancy {
      let seen = try patches.directionsAndPicture(of: bytes, name: path)
      let surgery = FeatureSurgery(matrix, topN: settings.topN, on: execution)
      return (seen.patches, try surgery.match(seen.patches, picture: seen.picture))
    }
    let directions = try patches.directions(of: bytes, name: path)
    return (directions, try matcher.match(directions, sign: header.sign).labels)
  }

  private func encode(
    _ labels: [[PatchLabel]],
    name: String,
    _ header: LabelHeader,
    _ format: LabelRecordFormat
  ) -> [UInt8] {
    guard let presampling = header.presampling else { return format.encode(labels: labels) }
    let sampler = WindowSampler(grid: header.grid, presampling: presampling)
    return format.encode(draws: sampler.draw(labels, name: name))
  }

  /// True for errors of one picture, which say nothing about the next.
  private static func isPicture(_ error: any Error) -> Bool {
    switch error {
    case is ImageError, is DatasetError: true
    case let error as LabelError: if case .noDirection = error { true } else { false }
    case let error as FileError:
      switch error {
      case .missing, .notRegular, .permission: true
      default: false
      }
    default: false
    }
  }

  /// A picture's failure, told with the name that the data give it.
  private static func refusal(of name: String, _ error: any Error) -> any Error {
    if let error = error as? FileError, case .missing(let path) = error {
      return LabelError.missingPicture(path: path, record: "'\(name.printable())'")
    }
    if error is LabelError {
      return LabelError.picture(path: name, problem: "\(error)")
    }
    return error
  }

  private func assemble(_ store: BlockStore, _ header: LabelHeader) throws {
    let writer = try LabelFileWriter(
      path: output,
      header: header,
      words: words.pool,
      recordBytes: store.byteCount
    )
    try store.forEachRecord(width: header.width) { image, record in
      try writer.append(record, keys: data.keys(image))
    } sums: { sums in
      writer.add(sums)
    }
    _ = try writer.finish()
  }
}

extension PatchMatches {
  /// The words of every patch.
  package var labels: [[PatchLabel]] {
    (0..<patches).map { patch in
      (0..<count(patch)).map { rank in
        let word = word(patch, rank: rank)
        return PatchLabel(word: word.index, score: word.score)
      }
    }
  }
}
