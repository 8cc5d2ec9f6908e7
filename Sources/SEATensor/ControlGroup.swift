// SPDX-License-Identifier: Apache-2.0
// The memory that control groups leave to this process.

/// The control groups of this process.
package enum ControlGroup {
  /// The tightest memory limit of this process's group and the groups around it.
  ///
  /// `memory.max` ends processes and `memory.high` slows them down beyond use: both are limits. In a
  /// hierarchy of version 1 it is `memory.limit_in_bytes`.
  ///
  /// - Parameter root: the folder that holds `proc` and the mount points; tests put a tree of their
  ///   own in place of `/`.
  /// - Returns: the limit and the file that sets it; nil: there is none.
  /// - Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
  package static func memoryLimit(root: String = "") -> MemoryLimit? {
    let mounts = SystemFile.lines(of: "\(root)/proc/self/mountinfo").compactMap(Mount.init)
    var tightest: MemoryLimit?
    for line in SystemFile.lines(of: "\(root)/proc/self/cgroup") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isUnified = fields[1].isEmpty
      guard isUnified || fields[1].split(separator: ",").contains("memory") else { continue }
      for mount in mounts where mount.isUnified == isUnified {
        for folder in mount.folders(of: String(fields[2])) {
          for name in mount.files {
            let file = "\(folder)/\(name)"
            guard let text = SystemFile.lines(of: root + file).first, let bytes = Int(text),
              bytes < tightest?.bytes ?? Int.max
            else { continue }
            tightest = MemoryLimit(bytes, .controlGroup(file: file))
          }
        }
      }
    }
    return tightest
  }

  /// A mounted hierarchy with a memory controller.
  private struct Mount {
    let isUnified: Bool
    /// The group that is seen at the mount point.
    let root: [Substring]
    let point: String

    var files: [String] {
      isUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
    }

    /// Reads a line of mountinfo: `id parent device root point options … - type source options`.
    init?(_ line: String) {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else {
        return nil
      }
      switch fields[dash + 1] {
      case "cgroup2": isUnified = true
      case "cgroup":
        guard fields[dash + 3].split(separator: ",").contains("memory") else { return nil }
        isUnified = false
      default: return nil
      }
      root = fields[3].split(separator: "/")
      point = String(fields[4])
    }

    /// Where a group and the groups around it are found, innermost first.
    func folders(of group: String) -> [String] {
      var parts = group.split(separator: "/")
      // Inside a container the path may start outside of what is mounted.
      parts = parts.starts(with: root) ? Array(parts.dropFirst(root.count)) : []
      if parts.contains("..") { parts = [] }
      return (0...parts.count).reversed().map { count in
        ([point] + parts.prefix(count).map(String.init)).joined(separator: "/")
      }
    }
  }
}
