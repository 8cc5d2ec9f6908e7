// SPDX-License-Identifier: Apache-2.0
// A whole world on the disk: pictures first, then the files that speak of them, the summary last.

internal import Crypto
package import SEAFormat
package import SEATensor

/// Writes worlds.
package struct WorldWriter {
  /// How far the writing has come.
  package typealias Progress = (_ done: Int, _ count: Int) -> Void

  let options: WorldOptions
  let folder: WorldFolder
  let records: Records

  /// Pictures between two looks at the world outside.
  private static let chunk = 1024

  /// A writer of one world.
  ///
  /// - Parameters:
  ///   - options: what is wanted.
  ///   - path: the folder to write to.
  package init(_ options: WorldOptions, to path: String) {
    self.options = options
    folder = WorldFolder(path: path)
    records = Records(options)
  }

  /// Writes everything.
  ///
  /// The files are the same for any number of threads and after any interruption.
  ///
  /// - Parameters:
  ///   - resumes: continue what an earlier run with the same options began.
  ///   - pool: the threads.
  ///   - progress: called between runs of pictures.
  ///   - isCancelled: asked there whether to stop.
  /// - Returns: what `world.json` says.
  /// - Throws: `WorldError.folder` when the folder holds something else, `.cancelled` when asked to
  ///   stop, `.file` and `.format` when the system refuses.
  package func write(
    resumes: Bool,
    pool: WorkerPool,
    progress: Progress = { _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws(WorldError) -> JSONValue {
    if let summary = try finished(resumes: resumes) { return summary }
    var done = try begin(resumes: resumes)
    let masks = options.writesMasks ? try sink(WorldFile.masks, .lines) : nil
    var digests = SHA256()
    var start = 0
    while start < options.count {
      let end = min(start + Self.chunk, options.count)
      progress(start, options.count)
      if isCancelled() { throw .cancelled(done: done, count: options.count) }
      let results = PictureResults(count: end - start)
      let work = PictureWork(
        records: records,
        folder: folder,
        first: start,
        done: done,
        results: results
      )
      pool.run(work, pieces: end - start)
      for result in try results.finish() {
        digests.update(data: result.digest)
        try masks?.add(result.mask)
      }
      if end > done {
        done = end
        try save(WorldFile.progress, settings(done: done))
      }
      start = end
    }
    progress(options.count, options.count)
    var files: [(String, String)] = [
      (WorldFile.images, WorldSink.hexadecimal(Array(digests.finalize())))
    ]
    if let masks { files.append((WorldFile.masks, try masks.commit())) }
    let (texts, counts, baselines) = try writeTexts(isCancelled)
    files += texts
    if options.writesBenchmarks {
      try MiniatureBenchmarks(records).write(to: folder)
    }
    let summary = summary(files, counts, baselines)
    folder.sync()
    try save(WorldFile.summary, summary)
    folder.remove(WorldFile.progress)
    return summary
  }

  // MARK: - Beginning

  /// The summary of a world that is there already.
  private func finished(resumes: Bool) throws(WorldError) -> JSONValue? {
    guard resumes, folder.has(WorldFile.summary) else { return nil }
    let summary = try read(WorldFile.summary)
    guard let settings = summary["settings"], settings == settingsJSON else {
      throw .folder(
        path: folder.path,
        reason: "holds a world with other settings: \(summary["settings"]?.serialized() ?? "?")"
      )
    }
    return summary
  }

  /// Pictures that an earlier run has brought to the disk.
  private func begin(resumes: Bool) throws(WorldError) -> Int {
    var done = 0
    if try !folder.isEmpty {
      guard resumes else {
        throw .folder(
          path: folder.path,
          reason: "cannot be written: the folder is not empty; --resume continues a world"
        )
      }
      guard folder.has(WorldFile.progress) else {
        throw .folder(path: folder.path, reason: "holds no world that could be continued")
      }
      let progress = try read(WorldFile.progress)
      guard progress["settings"] == settingsJSON, let known = progress["done"]?.int,
        (0...options.count).contains(known)
      else {
        throw .folder(
          path: folder.path,
          reason: "holds a part of a world with other settings: "
            + "\(progress["settings"]?.serialized() ?? "?")"
        )
      }
      done = known
    }
    try folder.make()
    try folder.make(WorldFile.images)
    if done == 0 { try save(WorldFile.progress, settings(done: 0)) }
    return done
  }

  // MARK: - Texts

  /// Writes the files of words.
  private func writeTexts(
    _ isCancelled: () -> Bool
  ) throws(WorldError) -> (files: [(String, String)], counts: JSONObject, Baselines?) {
    let captions = try sink(WorldFile.captions, .array)
    let conversations = try sink(WorldFile.conversations, .array)
    let text = try sink(WorldFile.text, .lines)
    let words = try sink(WorldFile.words, .lines)
    let isTest = options.split == .heldout
    let questions = isTest ? try sink(WorldFile.questions, .lines) : nil
    var (asked, turns, numbers): ([Question], Int, Int) = ([], 0, 0)
    for index in 0..<options.count {
      if index % Self.chunk == 0, isCancelled() {
        throw .cancelled(done: options.count, count: options.count)
      }
      let scene = records.scene(index)
      numbers += scene.hasNumber ? 1 : 0
      try captions.add(records.caption(scene).serialized())
      let conversation = records.conversation(scene)
      turns += (conversation["conversations"]?.array?.count ?? 0) / 2
      try conversations.add(conversation.serialized())
      guard let questions else { continue }
      for (position, question) in records.testQuestions(scene).enumerated() {
        asked.append(question)
        try questions.add(
          records.testRecord(question, position: position, of: scene).serialized()
        )
      }
    }
    for index in 0..<options.textCount {
      if index % Self.chunk == 0, isCancelled() {
        throw .cancelled(done: options.count, count: options.count)
      }
      try text.add(records.text(index).serialized())
    }
    for word in WordList.all { try words.add(word) }
    var files = [
      (WorldFile.captions, try captions.commit()),
      (WorldFile.conversations, try conversations.commit()),
      (WorldFile.text, try text.commit()), (WorldFile.words, try words.commit()),
    ]
    if let questions { files.append((WorldFile.questions, try questions.commit())) }
    let counts = JSONObject([
      (key: "images", value: .number(JSONNumber(options.count))),
      (key: "images_with_numbers", value: .number(JSONNumber(numbers))),
      (key: "conversation_turns", value: .number(JSONNumber(turns))),
      (key: "texts", value: .number(JSONNumber(options.textCount))),
      (key: "test_questions", value: .number(JSONNumber(asked.count))),
      (key: "words", value: .number(JSONNumber(WordList.all.count))),
    ])
    return (files, counts, isTest ? Baselines(asked, seed: options.seed) : nil)
  }

  // MARK: - Summary

  private func summary(
    _ files: [(String, String)],
    _ counts: JSONObject,
    _ baselines: Baselines?
  ) -> JSONValue {
    let heldOut = Combination.all.filter(Combination.heldOut.contains)
    func words<Values: Sequence>(_ values: Values) -> JSONValue where Values.Element == String {
      .array(values.map { .string($0) })
    }
    var object = JSONObject([
      (key: "format", value: "sea.world/1"),
      (key: "settings", value: settingsJSON),
      (key: "counts", value: .object(counts)),
      (
        key: "vocabulary",
        value: [
          "kinds": words(Kind.allCases.map(\.word)), "colors": words(Hue.allCases.map(\.word)),
          "sizes": words(Extent.allCases.map(\.word)), "places": words(Cell.allCases.map(\.words)),
          "lights": words(Ground.allCases.map(\.word)), "world_words": words(WordList.world),
        ]
      ),
      (
        key: "held_out",
        value: [
          "combinations": .number(JSONNumber(heldOut.count)),
          "of": .number(JSONNumber(Combination.all.count)),
          "list": words(heldOut.map(\.words)),
        ]
      ),
    ])
    if let baselines { object["baselines"] = baselines.json }
    object["sha256"] = .object(
      JSONObject(files.map { (key: $0.0, value: .string($0.1)) })
    )
    object["sha256_of_images"] =
      "SHA-256 of the concatenated SHA-256 of all picture files in order; bytes depend on zlib"
    return .object(object)
  }

  /// What makes two worlds the same.
  private var settingsJSON: JSONValue {
    [
      "version": .number(JSONNumber(WorldOptions.version)),
      "count": .number(JSONNumber(options.count)), "seed": .string(String(options.seed)),
      "size": .number(JSONNumber(options.side)), "split": .string(options.split.rawValue),
      "texts": .number(JSONNumber(options.textCount)), "masks": .bool(options.writesMasks),
      "benchmarks": .bool(options.writesBenchmarks),
    ]
  }

  private func settings(done: Int) -> JSONValue {
    ["settings": settingsJSON, "done": .number(JSONNumber(done))]
  }

  // MARK: - Files

  private func sink(_ name: String, _ form: WorldSink.Form) throws(WorldError) -> WorldSink {
    try WorldSink(path: folder.file(name), form: form)
  }

  private func save(_ name: String, _ json: JSONValue) throws(WorldError) {
    do throws(FormatError) {
      let file = try AtomicFile(path: folder.file(name))
      try file.write(Array(json.serialized(pretty: true).utf8))
      try file.commit()
    } catch {
      throw .format(error)
    }
  }

  private func read(_ name: String) throws(WorldError) -> JSONValue {
    let path = folder.file(name)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try MappedFile(path: path).bytes.array()
    } catch {
      throw .file(error)
    }
    do throws(JSONError) {
      return try JSONScanner.parse(bytes)
    } catch {
      throw .format(.json(path: path, part: "settings", error: error))
    }
  }
}
