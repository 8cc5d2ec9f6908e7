// SPDX-License-Identifier: Apache-2.0
// How much memory this process may use.

import Glibc

/// A limit on resident memory and where it comes from.
package struct MemoryLimit: Sendable, Equatable {
  /// Who sets a limit.
  package enum Origin: Sendable, Equatable {
    /// The caller.
    case request
    /// The machine's physical memory.
    case machine
    /// A control group, by the file that says so.
    case controlGroup(file: String)
  }

  /// Bytes.
  package let bytes: Int
  /// Who sets the limit.
  package let origin: Origin

  /// A limit of `bytes` set by `origin`.
  package init(_ bytes: Int, _ origin: Origin) {
    self.bytes = bytes
    self.origin = origin
  }
}

/// The machine's memory.
package enum SystemMemory {
  /// Bytes of physical memory.
  package static var physical: Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let size = sysconf(Int32(_SC_PAGESIZE))
    return pages > 0 && size > 0 ? pages * size : Int.max
  }

  /// The smallest of what was asked for, what the machine has, and what control groups allow.
  ///
  /// - Parameter request: bytes that may not be exceeded, nil: nobody asked.
  /// - Returns: the limit and who sets it.
  package static func limit(request: Int?) -> MemoryLimit {
    var limits = [MemoryLimit(physical, .machine)]
    if let request { limits.append(MemoryLimit(request, .request)) }
    if let group = ControlGroup.memoryLimit() { limits.append(group) }
    return limits.min { $0.bytes < $1.bytes } ?? limits[0]
  }
}
