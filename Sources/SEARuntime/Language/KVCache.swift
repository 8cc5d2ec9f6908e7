// SPDX-License-Identifier: Apache-2.0
// Keys and values of a sequence, for every block.

package import SEAModel
package import SEATensor

/// Keys and values of one sequence in one buffer.
///
/// Room for all positions is addresses only: memory comes with the positions that are stored. A large
/// cache takes it in small pages until half of its positions are filled, as a head's keys are far from
/// the next head's and huge pages would fill the gaps; then it moves to huge pages, which are read
/// faster.
package final class KVCache {
  /// Positions there is room for.
  package let capacity: Int
  /// Element type.
  package let type: CacheType
  /// Positions filled.
  package internal(set) var count = 0 {
    didSet { if count >= hugeCount { becomeHuge() } }
  }

  /// Keys and values of each block.
  package let stores: [KeyValueStore]

  private let buffer: AlignedBuffer
  /// Positions from which on the cache lies in huge pages.
  private var hugeCount: Int

  /// Caches of so many bytes at most lie in huge pages at once.
  package static let smallBytes = 64 << 20

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
    let total = Self.byteCount(language, capacity: capacity, type: type)
    let buffer: AlignedBuffer
    do throws(FileError) {
      buffer = try AlignedBuffer(byteCount: total, growsInSmallPages: total > Self.smallBytes)
    } catch {
      throw .file(error)
    }
    self.buffer = buffer
    hugeCount = total > Self.smallBytes ? max(capacity / 2, 1) : Int.max
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

  /// Bytes that the cache takes now.
  package var residentBytes: Int { buffer.residentBytes }

  private func becomeHuge() {
    hugeCount = Int.max
    buffer.makeHuge()
  }

  /// Forgets the positions from `count` on.
  ///
  /// - Precondition: so many positions are filled.
  package func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "\(count) of \(self.count) positions")
    self.count = count
  }
}
