// SPDX-License-Identifier: Apache-2.0
// What memory this process has resident, by what the system says.

internal import CSIMD
internal import Glibc
internal import Synchronization

/// Resident memory of this process, in bytes; 0 where the system does not tell.
package struct ProcessMemory: Sendable, Equatable {
  /// Private memory of this process.
  package var anonymous = 0
  /// Pages of mapped files.
  package var file = 0
  /// The most that was resident since the start or the last reset.
  package var peak = 0
  /// Pages of mapped files that are mapped 2 MiB at a time.
  package var fileHuge = 0
  /// Private memory in pages of 2 MiB.
  package var anonymousHuge = 0

  /// The state now, cheap.
  package static func current() -> ProcessMemory {
    var memory = ProcessMemory()
    for line in SystemText.lines(of: "/proc/self/status") {
      if let value = kibibytes("RssAnon:", line) { memory.anonymous = value }
      if let value = kibibytes("RssFile:", line) { memory.file = value }
      if let value = kibibytes("VmHWM:", line) { memory.peak = value }
    }
    return memory
  }

  /// The state now with the kinds of pages, which takes a walk through all of them.
  package static func detailed() -> ProcessMemory {
    var memory = current()
    for line in SystemText.lines(of: "/proc/self/smaps_rollup") {
      if let value = kibibytes("FilePmdMapped:", line) { memory.fileHuge = value }
      if let value = kibibytes("AnonHugePages:", line) { memory.anonymousHuge = value }
    }
    return memory
  }

  /// Starts the peak anew.
  ///
  /// - Returns: false where the system does not let it.
  @discardableResult
  package static func resetPeak() -> Bool {
    let descriptor = unsafe open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return unsafe write(descriptor, "5", 1) == 1
  }

  private static func kibibytes(_ name: String, _ line: Substring) -> Int? {
    guard line.hasPrefix(name) else { return nil }
    return line.dropFirst(name.utf8.count).split(whereSeparator: \.isWhitespace).first
      .flatMap { Int($0) }.map { $0 * 1024 }
  }
}

/// Notes the most of each kind of memory while it lives, from a thread of its own.
package final class MemorySampler: Sendable {
  private let state = SamplerState()
  private let handle: pthread_t?

  /// Starts to look every few milliseconds.
  package init() {
    var handle = pthread_t()
    let retained = unsafe Unmanaged.passRetained(state)
    let code = unsafe pthread_create(&handle, nil, samplerMain, retained.toOpaque())
    if code != 0 { unsafe retained.release() }
    self.handle = code == 0 ? handle : nil
  }

  /// Stops, and tells the most of each kind that was seen.
  package func finish() -> ProcessMemory {
    state.isStopped.store(true, ordering: .releasing)
    if let handle { pthread_join(handle, nil) }
    state.look()
    return state.most.withLock { $0 }
  }
}

private final class SamplerState: Sendable {
  let isStopped = Atomic<Bool>(false)
  let most = Mutex(ProcessMemory())

  static let interval: UInt32 = 5000  // microseconds

  func look() {
    let now = ProcessMemory.current()
    most.withLock {
      $0.anonymous = max($0.anonymous, now.anonymous)
      $0.file = max($0.file, now.file)
      $0.peak = max($0.peak, now.peak)
    }
  }
}

private func samplerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument = unsafe argument else { return nil }
  let state = unsafe Unmanaged<SamplerState>.fromOpaque(argument).takeRetainedValue()
  while !state.isStopped.load(ordering: .acquiring) {
    state.look()
    usleep(SamplerState.interval)
  }
  return nil
}

/// What the allocator tells about itself.
package enum HeapCount {
  /// How allocations are seen.
  package enum Method: String, Sendable {
    /// Calls are counted by jemalloc.
    case calls
    /// Bytes in use are compared, as glibc does not count calls.
    case bytes
  }

  /// Calls of the allocator so far where it counts them, else bytes in use.
  package static func now() -> (method: Method, value: Int) {
    var calls: UInt64 = 0
    if unsafe csimd_heap_allocations(&calls) { return (.calls, Int(clamping: calls)) }
    return (.bytes, Int(clamping: csimd_heap_bytes()))
  }
}

/// Small files of the system.
package enum SystemText {
  /// The lines of a file; empty when it cannot be read.
  package static func lines(of path: String) -> [Substring] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    var filled = 0
    while filled < bytes.count {
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress.map { unsafe $0 + filled }, $0.count - filled)
      }
      guard count > 0 else { break }
      filled += count
    }
    return String(decoding: bytes[..<filled], as: UTF8.self).split(whereSeparator: \.isNewline)
  }

  /// What the processor calls itself.
  package static var processorName: String {
    let line = lines(of: "/proc/cpuinfo").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":", maxSplits: 1).last.map {
      String($0.drop(while: \.isWhitespace))
    } ?? "unknown"
  }
}
