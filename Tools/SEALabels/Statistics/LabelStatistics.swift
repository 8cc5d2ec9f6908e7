// SPDX-License-Identifier: Apache-2.0
// What a label file holds, in numbers.

package import SEAFormat
internal import SEATensor

/// Counts of equal bins.
package struct Histogram: Sendable, Equatable {
  /// The lower end of the first bin.
  package let low: Double
  /// The upper end of the last one.
  package let high: Double
  package private(set) var counts: [Int]

  /// Bins without counts.
  package init(_ range: ClosedRange<Double>, bins: Int) {
    low = range.lowerBound
    high = range.upperBound
    counts = [Int](repeating: 0, count: bins)
  }

  /// Width of a bin.
  package var step: Double { (high - low) / Double(counts.count) }

  /// Counts a value; one beyond an end counts in the bin there.
  package mutating func add(_ value: Double) {
    let bin = min(max((value - low) / step, 0), Double(counts.count - 1))
    counts[Int(bin)] += 1
  }

  /// The bins up to the last one that is not empty.
  package var trimmed: Histogram {
    let used = (counts.lastIndex { $0 > 0 } ?? 0) + 1
    var result = Histogram(low...low + step * Double(used), bins: used)
    result.counts = Array(counts[..<used])
    return result
  }

  /// The bins as JSON.
  package var json: JSONValue {
    [
      "low": .number(JSONNumber(low)), "high": .number(JSONNumber(high)),
      "counts": .array(counts.map { .number(JSONNumber($0)) }),
    ]
  }
}

/// Statistics of the labels of a file.
///
/// - Source: reference.md G.5, J.2 (v1 fig. 6).
package struct LabelStatistics: Sendable {
  /// A word and how often it is a label.
  package struct WordCount: Sendable, Equatable {
    package let word: Int
    package let count: Int
    /// Mean of its scores where it is a label.
    package let mean: Double
  }

  package let images: Int
  /// Pictures without labels because they could not be used.
  package let skipped: Int
  package let patches: Int
  package let labels: Int
  /// The best words of each patch before those without a positive score were dropped.
  package let candidates: Int
  /// Scores of all labels.
  package let scores: Histogram
  /// Mean score of each word that is a label.
  package let wordMeans: Histogram
  /// `[i]`: patches with i labels.
  package let labelsPerPatch: [Int]
  package let wordsUsed: Int
  package let wordCount: Int
  /// The words that are labels most often.
  package let top: [WordCount]

  /// Patches without labels.
  package var emptyPatches: Int { labelsPerPatch[0] }

  /// Share of the best words of all patches that had no positive score.
  package var shareDropped: Double {
    candidates == 0 ? 0 : Double(candidates - labels) / Double(candidates)
  }

  /// Share of the words that are a label at least once.
  package var utilisation: Double { Double(wordsUsed) / Double(max(wordCount, 1)) }

  private static let bins = 100

  /// Reads every record of a file.
  ///
  /// - Parameters:
  ///   - file: a file with all labels.
  ///   - count: how many of the most frequent words are listed.
  ///   - progress: records read of all.
  /// - Throws: `LabelError.labelFile` for a damaged record or a file of draws, or what `progress`
  ///   throws.
  package init(
    _ file: LabelFile,
    top count: Int = 20,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    var (skipped, patches, labels) = (0, 0, 0)
    var scores = Histogram(0...1, bins: Self.bins)
    var perPatch = [Int](repeating: 0, count: file.header.topN + 1)
    var counts = [Int](repeating: 0, count: file.wordCount)
    var sums = [Double](repeating: 0, count: file.wordCount)
    for record in 0..<file.count {
      if file.isSkipped(record) {
        skipped += 1
      } else {
        for patch in try file.labels(ofRecord: record) {
          patches += 1
          labels += patch.count
          perPatch[patch.count] += 1
          for label in patch {
            scores.add(Double(label.score))
            counts[label.word] += 1
            sums[label.word] += Double(label.score)
          }
        }
      }
      if record % 256 == 255 { file.release(before: record + 1) }
      try progress(record + 1, file.count)
    }
    var means = Histogram(0...1, bins: Self.bins)
    var used = 0
    for word in counts.indices where counts[word] > 0 {
      used += 1
      means.add(sums[word] / Double(counts[word]))
    }
    images = file.count
    self.skipped = skipped
    self.patches = patches
    self.labels = labels
    candidates = patches * min(file.header.topN, file.wordCount)
    self.scores = scores
    wordMeans = means
    labelsPerPatch = perPatch
    wordsUsed = used
    wordCount = file.wordCount
    top = counts.indices.filter { counts[$0] > 0 }
      .sorted { counts[$0] == counts[$1] ? $0 < $1 : counts[$0] > counts[$1] }
      .prefix(count)
      .map { WordCount(word: $0, count: counts[$0], mean: sums[$0] / Double(counts[$0])) }
  }

  /// Everything as JSON; `name` gives the text of a word.
  package func json(_ name: (Int) -> String) -> JSONValue {
    func int(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
    return [
      "images": int(images), "skipped": int(skipped), "patches": int(patches),
      "labels": int(labels), "candidates": int(candidates),
      "share_dropped": .number(JSONNumber(shareDropped)), "empty_patches": int(emptyPatches),
      "words": int(wordCount), "words_used": int(wordsUsed),
      "utilisation": .number(JSONNumber(utilisation)), "scores": scores.json,
      "word_means": wordMeans.json,
      "labels_per_patch": .array(labelsPerPatch.map { int($0) }),
      "top_words": .array(
        top.map { entry in
          [
            "word": .string(name(entry.word)), "index": int(entry.word),
            "count": int(entry.count), "mean_score": .number(JSONNumber(entry.mean)),
          ]
        }
      ),
    ]
  }
}
