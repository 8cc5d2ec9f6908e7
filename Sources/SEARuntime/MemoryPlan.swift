// SPDX-License-Identifier: Apache-2.0
// How much memory a model will take, known before any is taken.

import SEAFormat
import SEAModel
import SEATensor
import SEAText

/// Bytes that a generator keeps resident, part by part.
///
/// The picture's phase (encoder and adapter) and the language model's phase do not overlap: the
/// encoder's pages and scratch are given back before a prompt is read.
package struct MemoryPlan: Sendable, Equatable {
  /// What a part's bytes are.
  package enum Kind: String, Sendable {
    /// Pages of the model file.
    case mapped
    /// Memory of this process.
    case anonymous
  }

  /// When a part is resident.
  package enum Phase: String, Sendable {
    /// From open to close.
    case always
    /// While a picture is encoded.
    case vision
    /// While a prompt is read and an answer written.
    case language
  }

  /// A line of the plan.
  package struct Part: Sendable, Equatable {
    /// What it is, for people.
    package let name: String
    /// Bytes.
    package let bytes: Int
    /// What the bytes are.
    package let kind: Kind
    /// When they are resident.
    package let phase: Phase
  }

  /// The lines.
  package private(set) var parts: [Part] = []
  /// Pages of the language model's blocks are given back after each use.
  package let releasesWeights: Bool

  /// Code, tables and small things that are not counted one by one.
  static let fixedBytes = 24 << 20

  /// The plan of a model.
  ///
  /// - Parameters:
  ///   - header: the model's file.
  ///   - options: how its language model is run, nil: it is not.
  ///   - threads: threads of the execution.
  ///   - placement: where its weights are used from.
  ///   - pictureBytes: room for pictures that are not to be encoded again.
  package init(
    _ header: ModelHeader,
    options: ContextOptions?,
    threads: Int,
    placement: WeightPlacement = .mapped,
    pictureBytes: Int = 0
  ) {
    releasesWeights = options?.releasesWeights ?? false
    add("program", Self.fixedBytes, .anonymous, .always)
    let isCopied = placement == .copied
    if isCopied { add("weights", header.file.mapping.count, .anonymous, .always) }
    let tokenizer = TokenizerTables.Name.all.reduce(0) {
      $0 + (header.file.info($1)?.range.count ?? 0)
    }
    add("tokenizer", tokenizer, .mapped, .always)
    let unpacked = header.plan.matrices.filter { $0.format == .int4 }.map {
      UnpackRoom.rowBytes(columns: $0.columns)
    }
    add("unpacked weights", threads * (unpacked.max() ?? 0), .anonymous, .always)
    if let encoder = header.description.encoder {
      if !isCopied { add("encoder weights", Self.bytes(header.plan, "vision."), .mapped, .vision) }
      add(
        "encoder scratch",
        EncoderScratch.byteCount(encoder, threads: threads)
          + (3 * encoder.inputSide * encoder.inputSide + VisionEncoder.scaleValues(encoder))
            * MemoryLayout<Float>.size,
        .anonymous,
        .vision
      )
    }
    if let adapter = header.description.adapter {
      if !isCopied { add("adapter weights", Self.bytes(header.plan, "adapter."), .mapped, .vision) }
      let rows = header.description.encoder?.features ?? 0
      let values = rows * adapter.inputWidth + TokenGrid.values(adapter, features: rows)
      add(
        "adapter scratch",
        Adapter.scratchBytes(adapter) + values * MemoryLayout<Float>.size,
        .anonymous,
        .vision
      )
    }
    guard let language = header.description.language, let options else { return }
    if !isCopied {
      add("language model weights", languageBytes(header.plan, language), .mapped, .language)
    }
    let cache = KVCache.byteCount(language, capacity: options.capacity, type: options.cacheType)
    add("keys and values", cache, .anonymous, .always)
    add("known pictures", pictureBytes, .anonymous, .always)
    let scratch = LanguageContext.scratchBytes(language, options: options, threads: threads)
    add("language model scratch", scratch, .anonymous, .always)
  }

  private mutating func add(_ name: String, _ bytes: Int, _ kind: Kind, _ phase: Phase) {
    if bytes > 0 { parts.append(Part(name: name, bytes: bytes, kind: kind, phase: phase)) }
  }

  private static func bytes(_ plan: TensorPlan, _ prefix: String) -> Int {
    plan.all.reduce(0) { $0 + ($1.name.hasPrefix(prefix) ? $1.byteCount : 0) }
  }

  /// All language weights, or, where pages are given back, the most that are resident at once.
  private func languageBytes(_ plan: TensorPlan, _ language: LanguageModelDescription) -> Int {
    guard releasesWeights else { return Self.bytes(plan, "llm.") }
    let blocks = (0..<language.blocks).map { Self.bytes(plan, "llm.blk.\($0).") }
    let head = language.isHeadTied ? "llm.embed." : "llm.head."
    return max(blocks.max() ?? 0, Self.bytes(plan, head))
  }

  /// Bytes of memory of this process at the highest point.
  package var anonymousBytes: Int { peak(.anonymous) }

  /// Bytes resident at the highest point.
  package var peakBytes: Int { peak(nil) }

  private func peak(_ kind: Kind?) -> Int {
    func sum(_ phase: Phase) -> Int {
      parts.reduce(0) {
        $0 + ($1.phase == phase && (kind == nil || $1.kind == kind) ? $1.bytes : 0)
      }
    }
    return sum(.always) + max(sum(.vision), sum(.language))
  }
}
