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
      cores.insert(SystemFile.lines(of: path).first ?? "cpu\(cpu)")
    }
    var count = max(cores.count, 1)
    if let quota = SystemFile.lines(of: "/sys/fs/cgroup/cpu.max").first {
      let fields = quota.split(separator: " ")
      if fields.count == 2, let limit = Int(fields[0]), let period = Int(fields[1]), period > 0 {
        count = min(count, max(1, (limit + period - 1) / period))
      }
    }
    return count
  }

  private static func affinity() -> [Int] {
    let label = "Cpus_allowed_list:"
    let lines = SystemFile.lines(of: "/proc/self/status")
    guard let line = lines.first(where: { $0.hasPrefix(label) }) else {
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
}
