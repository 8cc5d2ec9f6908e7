// SPDX-License-Identifier: Apache-2.0
// Memory between two pages that trap: an access outside ends the test run at once.

import Glibc

/// The end of its pages that a guarded buffer touches.
package enum GuardedEdge: Sendable, CaseIterable {
  /// The first element follows the lower guard page: reads before the start trap.
  case low
  /// The last element precedes the upper guard page: reads past the end trap.
  case high
}

/// Elements flush against a guard page, with known bytes in the rest of the pages.
package final class GuardedBuffer<Element: BitwiseCopyable> {
  /// The first element.
  package let pointer: UnsafeMutablePointer<Element>
  /// Elements.
  package let count: Int

  private let mapping: UnsafeMutableRawPointer
  private let mappedBytes: Int
  private let slack: UnsafeMutableRawBufferPointer

  private static var canary: UInt8 { 0xa5 }

  /// A copy of `elements` at `edge` of fresh pages.
  package init(_ elements: [Element], edge: GuardedEdge) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let bytes = elements.count * MemoryLayout<Element>.stride
    let inner = (bytes + page - 1) / page * page
    mappedBytes = inner + 2 * page
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let mapping = mmap(nil, mappedBytes, PROT_NONE, flags, -1, 0), mapping != MAP_FAILED,
      inner == 0 || mprotect(mapping + page, inner, PROT_READ | PROT_WRITE) == 0
    else {
      preconditionFailure("no memory for a guarded buffer of \(bytes) bytes")
    }
    self.mapping = mapping
    let start = mapping + page + (edge == .low ? 0 : inner - bytes)
    pointer = start.bindMemory(to: Element.self, capacity: elements.count)
    pointer.initialize(from: elements, count: elements.count)
    count = elements.count
    slack = UnsafeMutableRawBufferPointer(
      start: edge == .low ? mapping + page + bytes : mapping + page,
      count: inner - bytes
    )
    for index in slack.indices { slack[index] = Self.canary }
  }

  deinit {
    munmap(mapping, mappedBytes)
  }

  /// A copy of the elements as they are now.
  package var elements: [Element] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }

  /// True while nothing wrote to the pages outside the elements.
  package var isIntactOutside: Bool {
    slack.allSatisfy { $0 == Self.canary }
  }
}
