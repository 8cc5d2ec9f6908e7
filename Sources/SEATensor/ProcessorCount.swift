// SPDX-License-Identifier: Apache-2.0
// How many threads are worth starting here.

import Glibc

/// Processors that this process may use.
package enum ProcessorCount {
  /// Physical cores allowed by the affinity mask and the cgroup's CPU quota; at least 1.
  package static var available: Int {
    let allowed = affinity()
    // Two hardware threads of one core share its vector units: count the core once.
    var cores = Set<String>()
    for cpu in allowed {
      let path = "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
      cores.insert(lines(of: path).first ?? "cpu\(cpu)")
    }
    var count = max(cores.count, 1)
    if let quota = lines(of: "/sys/fs/cgroup/cpu.max").first {
      let fields = quota.split(separator: " ")
      if fields.count == 2, let limit = Int(fields[0]), let period = Int(fields[1]), period > 0 {
        count = min(count, max(1, (limit + period - 1) / period))
      }
    }
    return count
  }

  private static func affinity() -> [Int] {
    let label = "Cpus_allowed_list:"
    guard let line = lines(of: "/proc/self/status").first(where: { $0.hasPrefix(label) }) else {
      return Array(0..<max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1))
    }
    var processors: [Int] = []
    for part in line.dropFirst(label.count).split(whereSeparator: { $0 == "," || $0.isWhitespace })
    {
      let ends = part.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last else { continue }
      processors.append(contentsOf: first...min(last, first + 4095))
    }
    return processors
  }

  private static func lines(of path: String) -> [String] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe read(descriptor, $0.baseAddress, $0.count)
    }
    guard count > 0 else { return [] }
    return String(decoding: bytes[..<count], as: UTF8.self)
      .split(whereSeparator: \.isNewline).map(String.init)
  }
}
