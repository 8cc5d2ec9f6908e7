// SPDX-License-Identifier: Apache-2.0
// Resampling kernels, equal to Pillow's.

/// A resampling kernel, widened by the reduction factor when a picture shrinks.
package enum ResampleFilter: String, Sendable, CaseIterable {
  /// Linear interpolation (Pillow's `resample=2`).
  case bilinear
  /// Keys' cubic with a = -0.5 (Pillow's `resample=3`).
  case bicubic

  /// Half the kernel's width, in source pixels at scale 1.
  var support: Double {
    switch self {
    case .bilinear: 1
    case .bicubic: 2
    }
  }

  /// The kernel's value at a distance from its centre.
  func weight(at distance: Double) -> Double {
    let x = abs(distance)
    switch self {
    case .bilinear: return x < 1 ? 1 - x : 0
    case .bicubic:
      let a = -0.5
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    }
  }
}
