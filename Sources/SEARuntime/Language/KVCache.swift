// SPDX-License-Identifier: Apache-2.0
// Keys and values of a sequence, for every block.

package import SEAModel
package import SEATensor

/// Keys and values of one sequence in one buffer.
package final class KVCache {
  /// Positions there is room for.
  package let capacity: Int
  /// Element type.
  package let type: CacheType
  /// Positions filled.
  package internal(set) var count = 0

  let stores: [KeyValueStore]

  /// Bytes that a cache takes.
  package static func byteCount(
    _ language: LanguageModelDescription,
    capacity: Int,
    type: CacheType
  ) -> Int {
    language.blocks
      * KeyValueStore.byteCount(
        heads: language.kvHeads,
        headDim: language.headDim,
        capacity: capacity,
        type: type
      )
  }

  /// An empty cache.
  ///
  /// - Throws: `RuntimeError.file` when memory cannot be had.
  package init(
    _ language: LanguageModelDescription,
    capacity: Int,
    type: CacheType
  ) throws(RuntimeError) {
    let buffer: AlignedBuffer
    do throws(FileError) {
      buffer = try AlignedBuffer(
        byteCount: Self.byteCount(language, capacity: capacity, type: type)
      )
    } catch {
      throw .file(error)
    }
    let bytes = KeyValueStore.byteCount(
      heads: language.kvHeads,
      headDim: language.headDim,
      capacity: capacity,
      type: type
    )
    stores = (0..<language.blocks).map { block in
      KeyValueStore(
        buffer: buffer,
        offset: block * bytes,
        heads: language.kvHeads,
        headDim: language.headDim,
        capacity: capacity,
        type: type
      )
    }
    self.capacity = capacity
    self.type = type
  }

  /// Forgets the positions from `count` on.
  ///
  /// - Precondition: so many positions are filled.
  package func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "\(count) of \(self.count) positions")
    self.count = count
  }
}
