// SPDX-License-Identifier: Apache-2.0
// Text from files made safe to print: one line, no terminal controls, bounded length.

extension String {
  /// The text with invisible and controlling characters escaped, cut to `limit` scalars.
  ///
  /// Names in files are written by others: a newline would forge a second message, an escape
  /// sequence would drive the terminal, a direction override would show a name as another.
  package func printable(limit: Int = 96) -> String {
    var result = ""
    var scalars = 0
    for scalar in unicodeScalars {
      if scalars == limit {
        result += "… (\(utf8.count) bytes)"
        break
      }
      scalars += 1
      if Self.isPrintable(scalar) {
        result.unicodeScalars.append(scalar)
      } else {
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      }
    }
    return result
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
      .unassigned:
      false
    default:
      true
    }
  }
}
