// SPDX-License-Identifier: Apache-2.0
// Options that mean the same in every command.

package import ArgumentParser
package import SEATensor

/// What a command says, and to whom.
package struct OutputOptions: ParsableArguments {
  @Flag(help: "Print the result as JSON, one object a line.")
  package var json = false

  @Flag(help: "Print errors only.")
  package var quiet = false

  @Flag(help: "Print plans, counts and timings on standard error.")
  package var verbose = false

  /// Parsed by ArgumentParser.
  package init() {}

  /// Refuses options that contradict each other.
  ///
  /// - Throws: `ValidationError`.
  package func validate() throws {
    guard !(quiet && verbose) else {
      throw ValidationError("--quiet and --verbose contradict each other")
    }
  }
}

/// Where the arithmetic runs.
package struct ComputeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads to compute with (default: the physical cores this process may use).",
      valueName: "n"
    ),
    transform: Checked.integer(1...ComputeOptions.maxThreads)
  )
  package var threads: Int?

  @Option(
    help: ArgumentHelp(
      """
      Instruction set: \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")) \
      (default: SEA_ISA, else the best of this machine).
      """,
      valueName: "name"
    )
  )
  package var isa: String?

  /// More threads than any machine this runs on has.
  package static let maxThreads = 1024

  /// Parsed by ArgumentParser.
  package init() {}

  /// Threads to start: what was asked for, else what is worth starting.
  package var threadCount: Int {
    threads ?? ProcessorCount.available
  }

  /// The kernels to use.
  ///
  /// - Throws: `InstructionSetError` when the name is unknown or the machine cannot run it.
  package func kernels() throws(InstructionSetError) -> Kernels {
    try Kernels(named: isa)
  }
}
