// SPDX-License-Identifier: Apache-2.0
// A checked, owner-retaining window on read-only bytes.

/// Read-only bytes of a mapped file or an array.
///
/// Every access is checked against `count`, and the memory's owner is retained, so a view can be kept
/// and sent anywhere. Sendable because the bytes never change.
@safe package struct ByteView: @unchecked Sendable {
  private let owner: AnyObject?
  private let base: UnsafePointer<UInt8>

  /// Number of bytes.
  package let count: Int

  /// A view of memory kept alive by `owner`.
  @unsafe init(owner: AnyObject?, base: UnsafePointer<UInt8>, count: Int) {
    self.owner = owner
    unsafe self.base = base
    self.count = count
  }

  /// A view of a copy of `bytes`.
  package init(_ bytes: [UInt8]) {
    let storage = ArrayStorage(bytes)
    unsafe self.init(owner: storage, base: UnsafePointer(storage.base), count: bytes.count)
  }

  /// True when there are no bytes.
  package var isEmpty: Bool { count == 0 }

  /// The byte at `index`.
  ///
  /// - Precondition: `index` is in `0..<count`.
  package subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count, "byte \(index) of \(count)")
    return unsafe base[index]
  }

  /// The bytes of `range`, sharing the owner.
  ///
  /// - Precondition: `range` lies within `0..<count`.
  package func slice(_ range: Range<Int>) -> ByteView {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice \(range) of \(count)")
    return unsafe ByteView(owner: owner, base: base + range.lowerBound, count: range.count)
  }

  /// The little-endian integer at byte `offset`, which needs no alignment.
  ///
  /// - Precondition: the integer lies within the view.
  package func loadLittleEndian<T: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int,
    as type: T.Type
  ) -> T {
    precondition(
      offset >= 0 && offset <= count - MemoryLayout<T>.size,
      "integer at \(offset) of \(count)"
    )
    return unsafe T(
      littleEndian: UnsafeRawPointer(base).loadUnaligned(fromByteOffset: offset, as: T.self)
    )
  }

  /// A copy of the bytes.
  package func array() -> [UInt8] {
    unsafe Array(UnsafeBufferPointer(start: base, count: count))
  }

  /// Lends the bytes for the duration of `body`.
  package func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// Lends the bytes as a bounds-checked span for the duration of `body`.
  package func withSpan<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try unsafe body(UnsafeBufferPointer(start: base, count: count).span)
  }

  /// The first byte's address, for kernels.
  @unsafe var address: UnsafeRawPointer { unsafe UnsafeRawPointer(base) }

  /// True when the first byte's address is a multiple of `alignment`.
  package func isAligned(to alignment: Int) -> Bool {
    unsafe Int(bitPattern: base) % alignment == 0
  }
}

/// Memory behind a view made from an array.
@safe private final class ArrayStorage {
  let base: UnsafeMutablePointer<UInt8>

  init(_ bytes: [UInt8]) {
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 64)
      .bindMemory(to: UInt8.self, capacity: max(bytes.count, 1))
    unsafe bytes.withUnsafeBufferPointer { source in
      guard let start = source.baseAddress else { return }
      unsafe base.update(from: start, count: source.count)
    }
  }

  deinit { unsafe UnsafeMutableRawPointer(base).deallocate() }
}
