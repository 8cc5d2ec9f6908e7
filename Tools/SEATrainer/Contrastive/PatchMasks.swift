// SPDX-License-Identifier: Apache-2.0
// What each patch of a picture shows, in words: the mask file of `sea world` or one's own.

internal import SEAFormat
package import SEALayers
internal import SEATensor

/// A mask file, read whole; a patch takes a few bytes.
///
/// A line is an object: `image`, the path as the records write it; `grid`, patches along a side; `phrases`;
/// `patches`, row by row the indices of the phrases that each shows. Optional are `words`, the words of
/// each phrase (else the phrase itself is one); `grounds`, how many phrases at the end are mere ground;
/// `marks`, further words, each with the patches that show it; `parts`, names of the places in `words`.
package struct PatchMasks: Sendable {
  /// Every word that some patch shows, in the order of the file.
  package private(set) var words: [String] = []
  /// What kind of word each is: an index into `groups`.
  package private(set) var groupOfWord: [Int] = []
  /// Kinds of words: names of parts, `ground`, `mark`.
  package private(set) var groups: [String] = []

  private let grid: Int
  private var numbers: [String: UInt16] = [:]
  private var places: [String: Int] = [:]
  private var ends: [Int] = []
  private var shown: [UInt16] = []
  private var isGround: [Bool] = []
  private var isMarked: [Bool] = []

  /// Most words of a file: an index has two bytes.
  private static let maxWords = 65_535

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: JSON lines.
  ///   - grid: patches along a side of the encoder's pictures.
  ///   - progress: told bytes done of all.
  /// - Throws: `TrainerError.badInput` naming the line, `.file`, or what `progress` throws.
  package init(
    path: String,
    grid: Int,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    self.grid = grid
    let file: MappedFile
    do throws(FileError) { file = try MappedFile(path: path) } catch {
      throw TrainerError.file(error)
    }
    var (start, line) = (0, 0)
    while start < file.count {
      line += 1
      var bytes: [UInt8] = []
      file.bytes.withSpan { span in
        var end = start
        while end < span.count, span[end] != 0x0a { end += 1 }
        bytes.reserveCapacity(end - start)
        for index in start..<end { bytes.append(span[index]) }
        start = end + 1
      }
      guard bytes.contains(where: { $0 > 0x20 }) else { continue }
      do {
        try add(try JSONScanner.parse(bytes))
      } catch let problem as Problem {
        throw TrainerError.badInput(path: path, problem: "line \(line): \(problem.text)")
      } catch {
        throw TrainerError.badInput(path: path, problem: "line \(line): \(error)")
      }
      if line % 4096 == 0 { try progress(min(start, file.count), file.count) }
    }
    guard !places.isEmpty else {
      throw TrainerError.badInput(path: path, problem: "there is no mask in it")
    }
  }

  /// Pictures that something is known of.
  package var count: Int { places.count }

  private struct Problem: Error { let text: String }

  private mutating func add(_ json: JSONValue) throws {
    guard let image = json["image"]?.string else { throw Problem(text: "image: expected a path") }
    guard json["grid"]?.int == grid else {
      let found = json["grid"]?.int.map { "\($0)" } ?? "nothing"
      throw Problem(text: "grid: \(found), the encoder has \(grid) patches a side")
    }
    guard let phrases = json["phrases"]?.array?.map(\.string), !phrases.contains(nil) else {
      throw Problem(text: "phrases: expected texts")
    }
    let grounds = json["grounds"]?.int ?? 0
    guard (0...phrases.count).contains(grounds) else {
      throw Problem(text: "grounds: \(grounds) of \(phrases.count) phrases")
    }
    let parts = json["parts"]?.array?.map { $0.string ?? "" } ?? []
    let firstGround = phrases.count - grounds
    var known: [[UInt16]] = []
    let lists = json["words"]?.array
    guard lists == nil || lists?.count == phrases.count else {
      throw Problem(text: "words: expected a list for each phrase")
    }
    for (index, phrase) in phrases.enumerated() {
      let words = lists.map { $0[index].array?.map { $0.string ?? "" } ?? [] } ?? [phrase ?? ""]
      var own: [UInt16] = []
      for (place, word) in words.enumerated() {
        let part = parts.indices.contains(place) ? parts[place] : "word\(place + 1)"
        own.append(try number(of: word, group: index >= firstGround ? "ground" : part))
      }
      known.append(own)
    }
    try addPatches(json, known, firstGround: firstGround)
    places[image] = places[image] ?? (ends.count / (grid * grid) - 1)
  }

  private mutating func addPatches(
    _ json: JSONValue,
    _ known: [[UInt16]],
    firstGround: Int
  ) throws {
    let count = grid * grid
    guard let patches = json["patches"]?.array, patches.count == count else {
      throw Problem(text: "patches: expected a list of \(count) lists")
    }
    var lists: [[UInt16]] = []
    var grounds: [Bool] = []
    var marked = [Bool](repeating: false, count: count)
    for patch in patches {
      guard let indices = patch.array?.map(\.int) else { throw Problem(text: "patches: no list") }
      var own: [UInt16] = []
      var hasThing = false
      for index in indices {
        guard let index, known.indices.contains(index) else {
          throw Problem(text: "patches: no phrase has the index \(index.map { "\($0)" } ?? "?")")
        }
        hasThing = hasThing || index < firstGround
        for word in known[index] where !own.contains(word) { own.append(word) }
      }
      lists.append(own)
      grounds.append(!hasThing)
    }
    for (word, places) in json["marks"]?.object?.entries.map({ ($0.key, $0.value) }) ?? [] {
      let number = try number(of: word, group: "mark")
      for place in places.array ?? [] {
        guard let patch = place.int, lists.indices.contains(patch) else {
          throw Problem(text: "marks: '\(word.printable())' has no such patch")
        }
        if !lists[patch].contains(number) { lists[patch].append(number) }
        grounds[patch] = false
        marked[patch] = true
      }
    }
    for list in lists {
      shown += list
      ends.append(shown.count)
    }
    isGround += grounds
    isMarked += marked
  }

  private mutating func number(of word: String, group: String) throws -> UInt16 {
    if let number = numbers[word] { return number }
    guard !word.isEmpty, words.count < Self.maxWords else {
      throw Problem(text: word.isEmpty ? "words: one is empty" : "more than \(Self.maxWords) words")
    }
    let number = UInt16(words.count)
    numbers[word] = number
    words.append(word)
    if !groups.contains(group) { groups.append(group) }
    groupOfWord.append(groups.firstIndex(of: group) ?? 0)
    return number
  }

  // MARK: - Reading

  /// Whether something is known of a picture.
  package func knows(_ image: String) -> Bool { places[image] != nil }

  /// The words of a patch, as indices into `words`, and whether it is mere ground.
  ///
  /// - Precondition: the picture is known, the patch in range.
  package func patch(_ patch: Int, of image: String) -> (words: ArraySlice<UInt16>, isGround: Bool)
  {
    guard let picture = places[image] else { return ([], true) }
    let index = picture * grid * grid + patch
    return (shown[(index == 0 ? 0 : ends[index - 1])..<ends[index]], isGround[index])
  }

  /// Adds every patch of a picture; an unknown one has no words.
  ///
  /// - Parameters:
  ///   - image: the picture.
  ///   - groundWeight: what a patch of mere ground counts.
  ///   - markWeight: what a patch with a mark counts; others count 1.
  ///   - patches: where they are added.
  package func add(
    _ image: String,
    groundWeight: Float,
    markWeight: Float,
    to patches: inout PatchWords
  ) {
    let first = (places[image] ?? 0) * grid * grid
    for index in 0..<grid * grid {
      let patch = patch(index, of: image)
      let isMarked = knows(image) && isMarked[first + index]
      patches.add(
        patch.words.lazy.map { Int32($0) },
        weight: isMarked ? markWeight : patch.isGround ? groundWeight : 1
      )
    }
  }
}
