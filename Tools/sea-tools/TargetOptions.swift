// SPDX-License-Identifier: Apache-2.0
// Options of the commands that write a model file: where, how precisely, and how it is judged.

import ArgumentParser
import Glibc
import SEACommandLine
import SEAFormat
import SEAModel

/// How weights are stored, as people name it.
enum WeightChoice: String, Sendable, CaseIterable {
  case float32 = "f32"
  case bfloat16 = "bf16"
  case int8
  case int4
}

/// Inputs that share a scale.
enum GroupChoice: Sendable, Equatable {
  case inputs(Int)
  /// One scale for a whole row.
  case row

  static let names: [(name: String, value: GroupChoice)] =
    WeightStorage.groups.map { (String($0), .inputs($0)) } + [("row", .row)]
}

struct TargetOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output")],
    parsing: .unconditional,
    help: ArgumentHelp("The model file to write.", valueName: "file"),
    transform: Checked.text
  )
  var path: String

  @Option(
    help: ArgumentHelp("How weights are stored: f32, bf16, int8 or int4.", valueName: "type"),
    transform: Checked.choice(WeightChoice.allCases.map { ($0.rawValue, $0) })
  )
  var weights = WeightChoice.int8

  @Option(
    help: ArgumentHelp(
      "Inputs that share a scale in int8: 32, 64, 128 or row (default: 128).",
      valueName: "n"
    ),
    transform: Checked.choice(GroupChoice.names)
  )
  var group: GroupChoice?

  @Flag(name: .customLong("no-verify"), help: "Leave out the parity verdict.")
  var omitsVerdict = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Also write the whole account: JSON, or Markdown for NAME.md.",
      valueName: "file"
    ),
    transform: Checked.text
  )
  var report: String?

  @Flag(name: .customLong("allow-nonfinite"), help: "Accept weights that are NaN or infinite.")
  var allowsNonFinite = false

  func validate() throws {
    guard group == nil || weights == .int8 else {
      throw ValidationError("--group needs --weights int8")
    }
    if let report, System.isSamePlace(report, path) {
      throw ValidationError("--report and -o name the same file")
    }
  }

  /// The storage of every tensor.
  var policy: PrecisionPolicy {
    switch weights {
    case .float32: PrecisionPolicy(all: .float32)
    case .bfloat16: PrecisionPolicy(all: .bfloat16)
    case .int8:
      switch group ?? .inputs(128) {
      case .inputs(let count): .int8(group: count)
      case .row: .int8(group: nil)
      }
    case .int4: .int4
    }
  }

  /// Refuses outputs that are folders, before anything is read.
  ///
  /// - Throws: `CommandError` (64).
  func refuseFolders() throws(CommandError) {
    for output in [path, report].compactMap(\.self)
    where System.kind(of: output) == S_IFDIR || output.utf8.last == UInt8(ascii: "/") {
      throw CommandError(
        .usage,
        "\(output.printable(limit: 4096)): cannot be written: it is a folder"
      )
    }
  }

  /// Refuses to write over what is read.
  ///
  /// - Throws: `CommandError` (64).
  func refuse(inputs: [String]) throws(CommandError) {
    for output in [path, report].compactMap(\.self) {
      guard let input = inputs.first(where: { System.isSameFile($0, output) }) else { continue }
      throw CommandError(
        .usage,
        "\(output.printable(limit: 4096)): output and input \(input.printable(limit: 4096)) "
          + "are the same file"
      )
    }
  }
}
