// SPDX-License-Identifier: Apache-2.0
// Runs that stop and go on end in the same bits; folders, locks and damaged checkpoints.

import Foundation
import SEATensor
import SEATrainer
import Testing

@Suite struct ResumeTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  /// The files of a run's checkpoints.
  private func states(_ name: String) throws -> [String: Data] {
    try folder.files(in: name + "/checkpoints")
  }

  @Test(arguments: [1, 2], [[1], [7], [13], [20, 21, 22], [6, 7, 8, 39]])
  func endsInTheSameBits(threads: Int, stops: [Int]) throws {
    try ToyRun().run(in: path("whole"))
    var run = ToyRun()
    run.threads = threads
    for (index, stop) in stops.enumerated() {
      #expect(throws: TrainerError.interrupted(step: stop)) {
        try run.run(in: path("parts"), resumes: index > 0, stopAfter: stop)
      }
    }
    run.threads = 3 - threads
    try run.run(in: path("parts"), resumes: true)
    // A run that was interrupted has saved at other steps too; the state at the end is the same.
    let last = try ["parts", "whole"].map {
      try folder.files(in: "\($0)/checkpoints/step-00000040")
    }
    #expect(last[0] == last[1] && last[0].count == 3)
    let steps = try lines("parts").map { $0["step"] as? Int }
    #expect(steps == (1...40).map { $0 })
    let losses = try [lines("parts"), lines("whole")].map { $0.map { $0["loss"] as? Double } }
    #expect(losses[0] == losses[1])
  }

  private func lines(_ name: String) throws -> [[String: Any]] {
    let data = try #require(FileManager.default.contents(atPath: path(name) + "/metrics.jsonl"))
    return try data.split(separator: 0x0a).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  @Test func learns() throws {
    try ToyRun().run(in: path("a"))
    let losses = try lines("a").map { $0["loss"] as? Double ?? .nan }
    #expect(losses.suffix(5).reduce(0, +) < losses.prefix(5).reduce(0, +))
    let svg = try String(contentsOfFile: path("a") + "/curves.svg", encoding: .utf8)
    #expect(svg.contains("<polyline") && svg.hasSuffix("</svg>\n"))
  }

  @Test func keepsTheLastCheckpoints() throws {
    try ToyRun().run(in: path("a"))
    #expect(CheckpointShelf(path: path("a/checkpoints")).steps() == [40, 35, 28])
  }

  @Test func refusesAFolderThatIsInUse() throws {
    let first = try RunFolder(path: path("a"), resumes: false)
    #expect {
      try RunFolder(path: path("a"), resumes: true)
    } throws: { error in
      guard case .busy(_, let process) = error as? TrainerError else { return false }
      return process == Int(getpid())
    }
    _ = first
  }

  @Test func takesOverTheLockOfADeadProcess() throws {
    try FileManager.default.createDirectory(atPath: path("a"), withIntermediateDirectories: true)
    try Data("999999\n".utf8).write(to: URL(fileURLWithPath: path("a/lock")))
    _ = try RunFolder(path: path("a"), resumes: false)
  }

  @Test func refusesAFolderWithContentUnlessAsked() throws {
    try ToyRun().run(in: path("a"))
    #expect(throws: TrainerError.folderInUse(path: path("a"))) { try ToyRun().run(in: path("a")) }
    try Data().write(to: URL(fileURLWithPath: path("file")))
    #expect(throws: TrainerError.self) { try ToyRun().run(in: path("file")) }
  }

  @Test func saysWhatDiffers() throws {
    try? ToyRun().run(in: path("a"), stopAfter: 9)
    var other = ToyRun()
    other.seed = "2"
    #expect {
      try other.run(in: path("a"), resumes: true)
    } throws: { error in
      guard case .differs(_, let what, let here, let there) = error as? TrainerError else {
        return false
      }
      return what == "seed" && here == "2" && there == "1"
    }
  }

  enum Damage: CaseIterable { case flip, truncate, remove, manifest, version, missingManifest }

  @Test(arguments: Damage.allCases)
  func passesOverDamagedCheckpoints(damage: Damage) throws {
    try ToyRun().run(in: path("whole"))
    try? ToyRun().run(in: path("a"), stopAfter: 16)
    let newest = path("a/checkpoints/step-00000016")
    try spoil(newest, damage)
    var warnings: [String] = []
    try ToyRun().run(in: path("a"), resumes: true, warn: { warnings.append($0) })
    #expect(warnings.contains { $0.contains("step-00000016") })
    #expect(try states("a") == states("whole"))
  }

  private func spoil(_ checkpoint: String, _ damage: Damage) throws {
    let weights = URL(fileURLWithPath: checkpoint + "/weights.safetensors")
    let manifest = URL(fileURLWithPath: checkpoint + "/manifest.json")
    var bytes = try Data(contentsOf: weights)
    let text = try String(contentsOf: manifest, encoding: .utf8)
    switch damage {
    case .flip:
      bytes[bytes.count - 3] ^= 4
      try bytes.write(to: weights)
    case .truncate: try bytes.dropLast(8).write(to: weights)
    case .remove: try FileManager.default.removeItem(at: weights)
    case .manifest: try Data(text.utf8.dropLast(20)).write(to: manifest)
    case .version:
      try Data(text.replacing("sea.checkpoint/1", with: "sea.checkpoint/9").utf8)
        .write(to: manifest)
    case .missingManifest: try FileManager.default.removeItem(at: manifest)
    }
  }

  @Test func refusesWhenNoCheckpointIsWhole() throws {
    try? ToyRun().run(in: path("a"), stopAfter: 8)
    for step in ["07", "08"] { try spoil(path("a/checkpoints/step-000000\(step)"), .flip) }
    #expect {
      try ToyRun().run(in: path("a"), resumes: true)
    } throws: { error in
      if case .noValidCheckpoint = error as? TrainerError { true } else { false }
    }
  }

  @Test func startsAgainWhereNothingWasSaved() throws {
    try ToyRun().run(in: path("whole"))
    _ = try RunFolder(path: path("a"), resumes: false)
    try ToyRun().run(in: path("a"), resumes: true)
    #expect(try states("a") == states("whole"))
  }

  @Test func stopsAtNumbersThatAreNone() throws {
    #expect {
      try ToyRun().run(in: path("a"), poisoned: 17)
    } throws: { error in
      guard case .notFinite(_, 17, let batch) = error as? TrainerError else { return false }
      return batch == ["point 17"]
    }
    let shelf = CheckpointShelf(path: path("a/checkpoints"))
    #expect(try shelf.newest { _, _ in }?.step == 14)
  }

  @Test func goesOnWhenASaveFailsOnTheWay() throws {
    var warnings: [String] = []
    // A file where the folder of checkpoints should be: no save can work.
    let run = ToyRun(total: 20, saveEvery: 5)
    #expect(throws: TrainerError.self) {
      try run.run(
        in: path("a"),
        warn: { warnings.append($0) },
        didStep: { record in
          guard record.step == 1 else { return }
          _ = FileManager.default.createFile(
            atPath: self.path("a/checkpoints"),
            contents: Data("x".utf8)
          )
        }
      )
    }
    #expect(warnings.count == 3)
    #expect(try lines("a").count == 20)
  }
}
