// SPDX-License-Identifier: Apache-2.0
// How a generator will run, decided and checked before anything is loaded.

import SEAFormat
import SEAModel
package import SEATensor

/// The options of a sequence, the memory they take, and the memory there is.
package struct GeneratorPlan: Sendable {
  /// How the sequence is run.
  package let context: ContextOptions
  /// The memory it takes.
  package let memory: MemoryPlan
  /// The memory there is.
  package let limit: MemoryLimit
  /// Bytes for pictures that are not to be encoded again.
  package let pictureBytes: Int

  private let header: ModelHeader
  private let options: GeneratorOptions
  private let threads: Int

  private static let defaultContext = 2048

  /// Plans a generator; where memory is short no pictures are remembered, and where the weights still
  /// do not fit beside everything else, they are given back block by block.
  ///
  /// - Parameters:
  ///   - header: the model.
  ///   - options: what was asked for; the rest is what suits the model.
  ///   - threads: threads of the execution.
  ///   - limit: resident bytes that may not be exceeded, nil: the smallest of what was asked for and
  ///     what the system has.
  /// - Throws: `RuntimeError.input` for a context the model was not made for, `.missingPart` without
  ///   a language model.
  package init(
    _ header: ModelHeader,
    options: GeneratorOptions,
    threads: Int,
    limit: MemoryLimit? = nil
  ) throws(RuntimeError) {
    guard let language = header.description.language else {
      throw .missingPart(name: "language model", model: header.file.path)
    }
    self.header = header
    self.options = options
    self.threads = threads
    self.limit = limit ?? SystemMemory.limit(request: options.maxMemory)
    var context = try Self.contextOptions(header, language, options)
    var pictures = max(options.knownPictures, 0) * PictureCache.byteCount(header.description)
    func plan() -> MemoryPlan {
      MemoryPlan(
        header,
        options: context,
        threads: threads,
        placement: options.placement,
        pictureBytes: pictures
      )
    }
    var memory = plan()
    if memory.peakBytes > self.limit.bytes, pictures > 0 {
      pictures = 0
      memory = plan()
    }
    if memory.peakBytes > self.limit.bytes, options.placement == .mapped {
      context.releasesWeights = true
      memory = plan()
    }
    self.context = context
    self.memory = memory
    pictureBytes = pictures
  }

  private static func contextOptions(
    _ header: ModelHeader,
    _ language: LanguageModelDescription,
    _ options: GeneratorOptions
  ) throws(RuntimeError) -> ContextOptions {
    let longest = language.maxPositions
    let suggested = header.description.generation?.context ?? defaultContext
    let capacity = options.context ?? min(suggested, longest)
    guard (1...longest).contains(capacity) else {
      throw .input(
        what: "the context",
        found: "\(capacity)",
        expected: "1 to \(longest) positions"
      )
    }
    return ContextOptions(
      capacity: capacity,
      chunk: max(options.chunk, 1),
      cacheType: options.cacheType ?? header.defaultCacheType,
      scoredRows: options.scoredRows
    )
  }

  /// Refuses a plan that takes more memory than there is.
  ///
  /// - Throws: `RuntimeError.memory` with what would fit.
  package func check() throws(RuntimeError) {
    guard memory.peakBytes > limit.bytes else { return }
    throw .memory(
      MemoryShortage(needed: memory.peakBytes, limit: limit, remedies: remedies, least: least)
    )
  }
}

// MARK: - What would fit

extension GeneratorPlan {
  /// Bytes of the plan with other options; nil: the model does not allow them.
  private func bytes(_ change: (inout GeneratorOptions) -> Void) -> Int? {
    var other = options
    change(&other)
    do throws(RuntimeError) {
      return try GeneratorPlan(header, options: other, threads: threads, limit: limit)
        .memory.peakBytes
    } catch {
      return nil
    }
  }

  private func fits(_ change: (inout GeneratorOptions) -> Void) -> Bool {
    bytes(change).map { $0 <= limit.bytes } ?? false
  }

  /// Single changes that are enough.
  private var remedies: [MemoryShortage.Remedy] {
    var remedies: [MemoryShortage.Remedy] = []
    if options.placement == .copied, fits({ $0.placement = .mapped }) {
      remedies.append(.mappedWeights)
    }
    let smaller = CacheType.allCases.filter { $0.size < context.cacheType.size }
    if let type = smaller.first(where: { type in fits { $0.cacheType = type } }) {
      remedies.append(.cacheType(type))
    }
    if let longest = longestContext { remedies.append(.context(longest)) }
    return remedies
  }

  /// Positions of a context that is of any use.
  private static let usefulContext = 64

  /// The longest context that fits, in whole blocks of keys; nil: none of any use.
  private var longestContext: Int? {
    let block = KeyValueStore.block
    var low = Self.usefulContext / block
    var high = (context.capacity - 1) / block
    guard low <= high, fits({ $0.context = low * block }) else { return nil }
    while low < high {
      let middle = (low + high + 1) / 2
      if fits({ $0.context = middle * block }) { low = middle } else { high = middle - 1 }
    }
    return low * block
  }

  /// Bytes that the model takes at the least.
  private var least: Int {
    let smallest = bytes {
      $0.placement = .mapped
      $0.cacheType = .int8
      $0.context = min(Self.usefulContext, context.capacity)
    }
    return smallest ?? memory.peakBytes
  }
}

/// A plan that takes more memory than there is.
package struct MemoryShortage: Sendable, Equatable, CustomStringConvertible {
  /// A change that makes a plan fit.
  package enum Remedy: Sendable, Equatable {
    /// Use the weights in place instead of a copy.
    case mappedWeights
    /// Store keys and values in fewer bytes.
    case cacheType(CacheType)
    /// Make room for fewer positions.
    case context(Int)
  }

  /// Bytes that the plan needs.
  package let needed: Int
  /// Bytes that there are.
  package let limit: MemoryLimit
  /// Changes each of which is enough.
  package let remedies: [Remedy]
  /// Bytes that the model needs at the least, with all changes.
  package let least: Int

  package var description: String {
    let origin =
      switch limit.origin {
      case .request: "asked for"
      case .machine: "of this machine"
      case .controlGroup(let file): "of \(file)"
      }
    let words = remedies.map { remedy in
      switch remedy {
      case .mappedWeights: "weights that stay mapped"
      case .cacheType(let type): "\(type.rawValue) keys and values"
      case .context(let positions): "a context of \(positions) positions"
      }
    }
    let advice =
      words.isEmpty
      ? "this model needs at least \(least)" : "it fits with \(words.joined(separator: ", or "))"
    return "the memory plan needs \(needed) bytes, the limit \(origin) is \(limit.bytes); \(advice)"
  }
}
