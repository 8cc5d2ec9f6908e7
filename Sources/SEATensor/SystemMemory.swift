// SPDX-License-Identifier: Apache-2.0
// How much memory this machine has.

import Glibc

/// The machine's memory.
package enum SystemMemory {
  /// Bytes of physical memory.
  package static var physical: Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let size = sysconf(Int32(_SC_PAGESIZE))
    return pages > 0 && size > 0 ? pages * size : Int.max
  }
}
