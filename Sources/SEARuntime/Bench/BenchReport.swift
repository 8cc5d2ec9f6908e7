// SPDX-License-Identifier: Apache-2.0
// What a benchmark found.

package import SEAFormat
package import SEATensor

/// One line: a stage at one size.
package struct BenchMeasure: Sendable, Equatable {
  /// What was measured.
  package let stage: BenchStage
  /// Prompt positions, or tokens of the answer.
  package var tokens: Int?
  /// Positions before the answer.
  package var depth: Int?
  /// Seconds of the stage; of one token for `decode`.
  package var seconds = BenchSeries()
  /// What the stage cannot do without.
  package var work: BenchWork?
  /// Limit measured beside each value: operations or bytes a second.
  package var limits = BenchSeries()
  /// Share of the limit, value by value: 1 is the limit.
  package var shares = BenchSeries()
  /// Allocations, or bytes, that the stage left or made, value by value.
  package var heap = BenchSeries()
  /// What `heap` counts.
  package var heapMethod: HeapCount.Method?
  /// Where the threads' time went.
  package var profile: BenchProfile?

  /// The line's name: `prefill 761`, `decode 64 at 800`.
  package var name: String {
    var name = stage.rawValue
    if let tokens { name += " \(tokens)" }
    if let depth { name += " at \(depth)" }
    return name
  }

  /// Tokens a second, where there are tokens.
  package var tokensPerSecond: Double? {
    guard let tokens, seconds.median > 0, stage != .firstToken else { return nil }
    return (stage == .decode ? 1 : Double(tokens)) / seconds.median
  }

  /// Operations or bytes a second.
  package var rate: Double? {
    guard let work, seconds.median > 0 else { return nil }
    return work.amount / seconds.median
  }
}

/// A limit of the machine over the whole run.
package struct BenchLimit: Sendable, Equatable {
  /// `int8`, `bf16`, `f32`, `read mapped`, `read 4 KiB`, `read 2 MiB`.
  package let name: String
  /// Operations or bytes a second.
  package var rates = BenchSeries()
  /// True for bytes.
  package let isBytes: Bool
}

/// A whole run.
package struct BenchReport: Sendable {
  /// The form of the JSON.
  package static let schema = "sea.bench/1"

  /// The model file.
  package let path: String
  /// The model's name.
  package let model: String
  /// Bytes of the model file.
  package let fileBytes: Int
  /// How the language model's, else the encoder's, weights are stored.
  package let weights: String
  /// What the processor calls itself.
  package let processor: String
  package let instructionSet: InstructionSet
  package let threads: Int
  package let cacheType: CacheType
  /// Times that each line was measured.
  package let repeats: Int
  /// The lines.
  package internal(set) var measures: [BenchMeasure] = []
  /// The machine.
  package internal(set) var limits: [BenchLimit] = []
  /// The most of each kind of memory in the memory stage.
  package internal(set) var memory: ProcessMemory?

  /// Time to the first token over the sum of its parts, where all were measured.
  package var firstTokenRatio: Double? {
    guard let whole = measures.first(where: { $0.stage == .firstToken }) else { return nil }
    var sum = 0.0
    for stage in [BenchStage.image, .encode, .adapter, .prefill] {
      let part = measures.first {
        $0.stage == stage && (stage != .prefill || $0.tokens == whole.tokens)
      }
      guard let part else { return nil }
      sum += part.seconds.median
    }
    return sum > 0 ? whole.seconds.median / sum : nil
  }

  /// The members of the JSON object.
  package var fields: [(key: String, value: JSONValue)] {
    var fields: [(key: String, value: JSONValue)] = [
      ("version", .string(ModelFile.toolVersion)),
      (
        "model",
        [
          "name": .string(model), "path": .string(path), "bytes": .number(JSONNumber(fileBytes)),
          "weights": .string(weights),
        ]
      ),
      (
        "machine",
        [
          "processor": .string(processor), "isa": .string(instructionSet.rawValue),
          "threads": .number(JSONNumber(threads)),
        ]
      ),
      ("kv", .string(cacheType.rawValue)),
      ("repeat", .number(JSONNumber(repeats))),
      ("measures", .array(measures.map(\.json))),
    ]
    if let firstTokenRatio {
      fields.append(("first_token_over_parts", BenchSeries.number(firstTokenRatio)))
    }
    if !limits.isEmpty { fields.append(("limits", .array(limits.map(\.json)))) }
    if let memory {
      fields.append(
        (
          "memory",
          [
            "peak_resident_bytes": .number(JSONNumber(memory.peak)),
            "peak_anonymous_bytes": .number(JSONNumber(memory.anonymous)),
            "peak_file_bytes": .number(JSONNumber(memory.file)),
            "file_pmd_mapped_bytes": .number(JSONNumber(memory.fileHuge)),
            "anon_huge_bytes": .number(JSONNumber(memory.anonymousHuge)),
          ]
        )
      )
    }
    return fields
  }
}

extension BenchMeasure {
  var json: JSONValue {
    var fields: [(key: String, value: JSONValue)] = [("stage", .string(stage.rawValue))]
    if let tokens { fields.append(("tokens", .number(JSONNumber(tokens)))) }
    if let depth { fields.append(("depth", .number(JSONNumber(depth)))) }
    fields.append(("seconds", seconds.json))
    if let tokensPerSecond {
      fields.append(("tokens_per_second", BenchSeries.number(tokensPerSecond)))
    }
    if let work {
      let isBytes = work.limit == "read"
      fields.append((isBytes ? "bytes" : "operations", BenchSeries.number(work.amount)))
      fields.append(("limit", .string(work.limit)))
    }
    if !limits.isEmpty { fields.append(("limit_rate", limits.json)) }
    if !shares.isEmpty { fields.append(("share_of_limit", shares.json)) }
    if let heapMethod {
      let key = heapMethod == .calls ? "allocations" : "heap_growth_bytes"
      fields.append((key, heap.json))
    }
    if let profile { fields.append(("profile", profile.json)) }
    return .object(JSONObject(fields))
  }
}

extension BenchLimit {
  var json: JSONValue {
    [
      "name": .string(name), "unit": .string(isBytes ? "bytes/s" : "operations/s"),
      "rate": rates.json,
    ]
  }
}
