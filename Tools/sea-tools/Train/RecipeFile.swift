// SPDX-License-Identifier: Apache-2.0
// `--config recipe.yaml`: flags in a file, by the same names.

import SEACommandLine
import SEAFormat
import SEATensor
import Yams

/// A YAML mapping of flag names to values.
///
///     llm: models/gemma-2b-it
///     lr: 1e-3
///     alignment-only: true
///
/// Values stand for themselves as written, so that `1e-3` and `0.10` reach the same parser as on the
/// command line. What the command line says wins.
enum RecipeFile {
  private static let flag = "--config"
  private static let maxBytes = 1 << 20

  /// The arguments with every `--config FILE` replaced by the flags of its file.
  ///
  /// The file's flags come right behind the commands' names, before all others: of a flag that is given
  /// twice, the later one counts.
  ///
  /// - Throws: `CommandError` (65) naming the key that is wrong, `FileError`.
  static func expand(_ arguments: [String]) throws -> [String] {
    guard arguments.first == "train", arguments.contains(where: isConfig) else { return arguments }
    var rest: [String] = []
    var flags: [String] = []
    var index = 0
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      guard argument != "--" else {
        rest += arguments[(index - 1)...]
        break
      }
      guard isConfig(argument) else {
        rest.append(argument)
        continue
      }
      if argument.count > flag.count {
        flags += try read(String(argument.dropFirst(flag.count + 1)))
      } else {
        guard index < arguments.count else {
          throw CommandError(.usage, "missing value for '--config <file>'")
        }
        flags += try read(arguments[index])
        index += 1
      }
    }
    let names = rest.prefix { !$0.hasPrefix("-") }
    return names + flags + rest.dropFirst(names.count)
  }

  private static func isConfig(_ argument: String) -> Bool {
    argument == flag || argument.hasPrefix(flag + "=")
  }

  /// The flags of a file.
  private static func read(_ path: String) throws -> [String] {
    let file = try MappedFile(path: path)
    func refuse(_ problem: String) -> CommandError {
      CommandError(.badData, "\(path.printable(limit: 4096)): \(problem)")
    }
    guard file.count <= maxBytes else { throw refuse("more than \(maxBytes) bytes") }
    guard let text = String(validating: file.bytes.array(), as: UTF8.self) else {
      throw refuse("not UTF-8")
    }
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch {
      throw refuse("not YAML: \(error)")
    }
    guard let node else { return [] }
    guard case .mapping(let mapping) = node else {
      throw refuse("expected flag names with values, as 'lr: 1e-3'")
    }
    var flags: [String] = []
    var seen: Set<String> = []
    for (key, value) in mapping {
      guard case .scalar(let name) = key, isName(name.string) else {
        throw refuse("a key is no flag's name: '\(key.string ?? "?")'")
      }
      guard name.string != "config" else { throw refuse("config: a recipe cannot name another") }
      guard seen.insert(name.string).inserted else { throw refuse("\(name.string) appears twice") }
      if case .sequence(let list) = value {
        let values = list.compactMap { node in
          if case .scalar(let scalar) = node { scalar.string } else { nil }
        }
        guard values.count == list.count, !values.isEmpty else {
          throw refuse("\(name.string): expected a list of values")
        }
        flags += ["--\(name.string)"] + values
        continue
      }
      guard case .scalar(let scalar) = value else {
        throw refuse("\(name.string): expected one value")
      }
      let isQuoted = scalar.style == .singleQuoted || scalar.style == .doubleQuoted
      switch scalar.string {
      case "true" where !isQuoted: flags.append("--\(name.string)")
      case "false" where !isQuoted, "" where !isQuoted, "null" where !isQuoted: continue
      default: flags += ["--\(name.string)", scalar.string]
      }
    }
    return flags
  }

  private static func isName(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        ($0 | 0x20) &- UInt8(ascii: "a") < 26 || $0 &- UInt8(ascii: "0") < 10
          || $0 == UInt8(ascii: "-")
      }
      && !text.hasPrefix("-")
  }
}
