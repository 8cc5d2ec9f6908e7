// SPDX-License-Identifier: Apache-2.0
// One sequence of a language model: its cache, its working memory and its latest scores.

package import SEAModel
package import SEATensor

/// How a sequence is run.
package struct ContextOptions: Sendable, Equatable {
  /// Positions there is room for.
  package var capacity: Int
  /// Positions run at once while a prompt is read.
  package var chunk: Int
  /// Element type of cached keys and values.
  package var cacheType: CacheType
  /// Positions scored at once when all are asked for.
  package var scoredRows: Int
  /// Give the pages of mapped weights back after each use, to run in less memory than the file takes.
  package var releasesWeights: Bool

  /// Options with the usual chunk.
  package init(
    capacity: Int,
    chunk: Int = 256,
    cacheType: CacheType = .float16,
    scoredRows: Int = 1,
    releasesWeights: Bool = false
  ) {
    self.capacity = capacity
    self.chunk = chunk
    self.cacheType = cacheType
    self.scoredRows = scoredRows
    self.releasesWeights = releasesWeights
  }
}

/// Regions of a sequence's working memory.
struct ContextRegions {
  let hidden: ScratchSlot<Float>
  let logits: ScratchSlot<Float>
  let block: BlockRegions

  init(
    in plan: inout ScratchPlan,
    _ language: LanguageModelDescription,
    options: ContextOptions,
    threads: Int
  ) {
    let tokens = max(min(options.chunk, options.capacity), 1)
    hidden = plan.reserve(count: tokens * language.hidden)
    logits = plan.reserve(count: max(options.scoredRows, 1) * language.vocab)
    block = BlockRegions(
      in: &plan,
      shape: BlockShape(language),
      tokens: tokens,
      keys: options.capacity,
      threads: threads
    )
  }
}

/// A sequence in progress.
package final class LanguageContext {
  /// The model that runs.
  package let model: LanguageModel
  /// What it runs on.
  package let execution: Execution
  /// How it is run.
  package let options: ContextOptions
  /// Keys and values of the positions so far.
  package let cache: KVCache
  /// Working memory of the blocks.
  package let scratch: BlockScratch

  private let regions: ContextRegions

  /// Bytes of working memory, without the cache.
  package static func scratchBytes(
    _ language: LanguageModelDescription,
    options: ContextOptions,
    threads: Int
  ) -> Int {
    var plan = ScratchPlan()
    _ = ContextRegions(in: &plan, language, options: options, threads: threads)
    return plan.byteCount
  }

  /// An empty sequence.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package init(
    _ model: LanguageModel,
    options: ContextOptions,
    on execution: Execution
  ) throws(RuntimeError) {
    var plan = ScratchPlan()
    regions = ContextRegions(
      in: &plan,
      model.language,
      options: options,
      threads: execution.pool.threads
    )
    self.model = model
    self.options = options
    self.execution = execution
    cache = try KVCache(model.language, capacity: options.capacity, type: options.cacheType)
    scratch = BlockScratch(regions.block, in: try AlignedBuffer(plan))
  }

  /// Scores of the next token after the last position that was scored; `[1, vocab]`.
  package var logits: MatrixView<Float> {
    scratch.buffer.view(regions.logits, rows: 1, columns: model.language.vocab)
  }

  /// Runs a prompt after the positions so far and scores its last position.
  ///
  /// The result does not depend on the chunk size. With `tracing`, every position is scored and seen.
  ///
  /// - Throws: `RuntimeError.context` before anything is run when the prompt does not fit,
  ///   `RuntimeError.token` for an id outside the vocabulary.
  package func prefill(
    _ prompt: PromptEmbedding,
    tracing: Tracing? = nil
  ) throws(RuntimeError) {
    let count = prompt.count
    try reserve(count)
    try check(prompt)
    let first = cache.count
    var done = 0
    while done < count {
      let tokens = min(regions.block.tokens, count - done)
      let rows = hiddenRows(tokens)
      try write(prompt, done..<done + tokens, into: rows)
      tracing?.record(.inputEmbeddings, rows)
      try advance(rows, tracing: tracing)
      done += tokens
      if tracing != nil {
        try scoreAll(rows, tracing: tracing)
      } else if done == count {
        try score(rows.rows(tokens - 1..<tokens))
      }
    }
    precondition(cache.count == first + count, "positions were lost")
  }

  /// Runs one token after the positions so far and scores it; allocates nothing.
  ///
  /// - Throws: `RuntimeError.context` when the context is full, `RuntimeError.token` for an id
  ///   outside the vocabulary.
  package func decode(_ id: Int32, tracing: Tracing? = nil) throws(RuntimeError) {
    try reserve(1)
    let row = hiddenRows(1)
    try model.table.look(up: id, into: row, with: execution.kernels)
    tracing?.record(.inputEmbeddings, row)
    try advance(row, tracing: tracing)
    try score(row)
    tracing?.record(.logits, logits)
  }

  private func hiddenRows(_ tokens: Int) -> MatrixView<Float> {
    scratch.buffer.view(regions.hidden, rows: tokens, columns: model.language.hidden)
  }

  private func reserve(_ tokens: Int) throws(RuntimeError) {
    guard cache.count + tokens <= cache.capacity else {
      throw .context(needed: cache.count + tokens, capacity: cache.capacity)
    }
  }

  /// Runs all blocks on rows that stand after the cached positions.
  private func advance(_ rows: MatrixView<Float>, tracing: Tracing?) throws(RuntimeError) {
    let first = cache.count
    let angles = regions.block.angles(in: scratch.buffer, tokens: rows.rows)
    model.rotary.fill(angles, first: first, on: execution)
    for index in model.blocks.indices {
      try model.blocks[index].run(
        rows,
        first: first,
        angles: angles,
        store: cache.stores[index],
        scratch: scratch,
        on: execution
      )
      if options.releasesWeights { model.blocks[index].pages?.release() }
      if let tracing { tracing.record(.languageHidden(block: index + 1), rows) }
    }
    cache.count = first + rows.rows
  }

  private func score(_ rows: MatrixView<Float>) throws(RuntimeError) {
    try model.score(rows, into: logits, scratch: scratch, on: execution)
    if options.releasesWeights { for pages in model.outerPages { pages.release() } }
  }

  private func scoreAll(_ rows: MatrixView<Float>, tracing: Tracing?) throws(RuntimeError) {
    var start = 0
    while start < rows.rows {
      let count = min(max(options.scoredRows, 1), rows.rows - start)
      let scores = scratch.buffer.view(
        regions.logits,
        rows: count,
        columns: model.language.vocab
      )
      let part = rows.rows(start..<start + count)
      try model.score(part, into: scores, scratch: scratch, on: execution)
      tracing?.record(.logits, scores)
      start += count
      // The last position's scores stay where the next token is chosen from.
      if start == rows.rows, count > 1 { logits.copy(from: scores.rows(count - 1..<count)) }
    }
  }
}

// MARK: - Prompts

extension LanguageContext {
  /// Refuses ids and widths that do not belong to the model before anything is run.
  private func check(_ prompt: PromptEmbedding) throws(RuntimeError) {
    let language = model.language
    for segment in prompt.segments {
      switch segment {
      case .tokens(let ids):
        for id in ids where id < 0 || Int(id) >= language.vocab {
          throw .token(id: Int(id), vocab: language.vocab)
        }
      case .visual(let rows), .table(let rows):
        guard rows.columns == language.hidden else {
          throw .input(
            what: "the width of the embeddings",
            found: "\(rows.columns)",
            expected: "the hidden size \(language.hidden)"
          )
        }
      }
    }
  }

  /// Writes positions `range` of a prompt as rows of the first block's input.
  private func write(
    _ prompt: PromptEmbedding,
    _ range: Range<Int>,
    into rows: MatrixView<Float>
  ) throws(RuntimeError) {
    var start = 0
    for segment in prompt.segments {
      let own = start..<start + segment.count
      start = own.upperBound
      let part = own.clamped(to: range)
      guard !part.isEmpty else { continue }
      let target = rows.rows(
        part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound
      )
      let local = part.lowerBound - own.lowerBound..<part.upperBound - own.lowerBound
      switch segment {
      case .tokens(let ids):
        for (row, id) in ids[local].enumerated() {
          try model.table.look(
            up: id,
            into: target.rows(row..<row + 1),
            with: execution.kernels
          )
        }
      case .visual(let values): copy(values.rows(local), times: model.visualScale, into: target)
      case .table(let values): copy(values.rows(local), times: model.table.scale, into: target)
      }
    }
  }

  private func copy(
    _ values: MatrixView<Float>,
    times factor: Float,
    into rows: MatrixView<Float>
  ) {
    rows.copy(from: values)
    if factor != 1 { execution.kernels.scale(rows, by: factor) }
  }
}
