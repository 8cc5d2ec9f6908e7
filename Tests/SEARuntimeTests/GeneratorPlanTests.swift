// SPDX-License-Identifier: Apache-2.0
// Memory that is planned, refused with advice, and files that shrink while they are in use.

import Foundation
import SEAModel
import SEARuntime
import SEATensor
import Testing

@Suite struct GeneratorPlanTests {
  private static func plan(
    _ header: ModelHeader,
    _ options: GeneratorOptions,
    limit: Int
  ) throws -> GeneratorPlan {
    try GeneratorPlan(header, options: options, threads: 2, limit: MemoryLimit(limit, .request))
  }

  @Test func refusalsSayWhatWouldFit() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32)) {
      $0.language?.maxPositions = 1 << 20
    }
    let header = try ModelHeader(path: fixture.path)
    let wide = GeneratorOptions(context: 1 << 17, cacheType: .float32)
    let needed = try Self.plan(header, wide, limit: .max).memory.peakBytes
    let tight = try Self.plan(header, wide, limit: needed / 2)
    let error = #expect(throws: RuntimeError.self) { try tight.check() }
    guard case .memory(let shortage) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    #expect(shortage.limit == MemoryLimit(needed / 2, .request))
    #expect(shortage.least < shortage.needed && !shortage.remedies.isEmpty)
    // Each remedy alone is enough, and no longer context would be.
    for remedy in shortage.remedies {
      var options = wide
      switch remedy {
      case .mappedWeights: options.placement = .mapped
      case .cacheType(let type): options.cacheType = type
      case .context(let positions):
        options.context = positions
        var longer = options
        longer.context = positions + KeyValueStore.block
        #expect(throws: RuntimeError.self) {
          try Self.plan(header, longer, limit: needed / 2).check()
        }
      }
      try Self.plan(header, options, limit: needed / 2).check()
    }
    #expect(shortage.remedies.contains { if case .context = $0 { true } else { false } })
  }

  @Test func limitsOfControlGroupsCount() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "sea-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    func write(_ text: String, to path: String) throws {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(),
        withIntermediateDirectories: true
      )
      try Data(text.utf8).write(to: file)
    }
    let mount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
    try write(mount, to: "proc/self/mountinfo")
    try write("0::/user/job\n", to: "proc/self/cgroup")
    try write("max\n", to: "sys/fs/cgroup/user/job/memory.max")
    #expect(ControlGroup.memoryLimit(root: root.path) == nil)
    try write("4000000\n", to: "sys/fs/cgroup/user/memory.max")
    try write("3000000\n", to: "sys/fs/cgroup/user/job/memory.high")
    #expect(
      ControlGroup.memoryLimit(root: root.path)
        == MemoryLimit(
          3_000_000,
          .controlGroup(file: "/sys/fs/cgroup/user/job/memory.high")
        )
    )
  }

  @Test func filesThatShrinkWhileInUseAreNoticed() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    let generator = try fixture.generator()
    try generator.read([2, 9, 912])
    // Within the last page nothing faults, but what is read there would be zeros.
    let size = generator.model.file.mapping.count
    #expect(truncate(fixture.path, off_t(size - 1)) == 0)
    let error = #expect(throws: RuntimeError.self) { try generator.read([2, 9, 913]) }
    #expect(
      error == .file(.shrunk(path: fixture.path, expected: size, found: size - 1))
    )
  }
}
