// SPDX-License-Identifier: Apache-2.0
// Colours, and how well one can be read on another.

/// A colour of three 8-bit channels.
package struct Ink: Sendable, Equatable {
  package let red: UInt8
  package let green: UInt8
  package let blue: UInt8

  /// A colour as `0xRRGGBB`.
  package init(_ code: UInt32) {
    red = UInt8(truncatingIfNeeded: code >> 16)
    green = UInt8(truncatingIfNeeded: code >> 8)
    blue = UInt8(truncatingIfNeeded: code)
  }

  /// The colour as CSS and SVG write it.
  package var css: String {
    let code = UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue)
    let digits = String(code, radix: 16)
    return "#" + String(repeating: "0", count: 6 - digits.count) + digits
  }

  /// Relative luminance, 0 for black to 1 for white.
  ///
  /// - Source: WCAG 2.1, its curve of sRGB by a polynomial that is within 0.003 of it.
  package var luminance: Double {
    func linear(_ channel: UInt8) -> Double {
      let value = Double(channel) / 255
      return value * (0.0125 + value * (0.6822 + value * 0.3053))
    }
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  }

  /// How well a colour can be read on this one: 1 not at all, 21 at best.
  package func contrast(with other: Ink) -> Double {
    let (one, two) = (luminance, other.luminance)
    return (max(one, two) + 0.05) / (min(one, two) + 0.05)
  }

  package static let white = Ink(0xffffff)
  package static let black = Ink(0x000000)
}
