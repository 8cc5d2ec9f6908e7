// SPDX-License-Identifier: Apache-2.0
// The picture that every parity verdict looks at: drawn, not stored.

import SEAImage

/// A boat on the sea under a sun, 448 × 336 pixels.
///
/// Drawn with integers only, so it is the same on every machine. Smooth areas, edges and a fine grain
/// are all there: an encoder sees something like a photograph.
enum BuiltInPicture {
  private static let width = 448
  private static let height = 336
  private static let horizon = 180

  /// The picture.
  static let image: PixelImage = {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * 3)
    for y in 0..<height {
      for x in 0..<width {
        let grain = grain(x, y)
        for channel in color(x, y) {
          pixels.append(UInt8(clamping: channel + grain))
        }
      }
    }
    return PixelImage(width: width, height: height, pixels: pixels)
  }()

  /// Red, green and blue of the shape in front at a point.
  private static func color(_ x: Int, _ y: Int) -> [Int] {
    if isHull(x, y) { return y < 222 ? [236, 232, 220] : [150, 42, 38] }
    if x >= 222 && x < 226 && y >= 70 && y < 216 { return [92, 66, 44] }
    if isMainSail(x, y) { return (x + y) / 9 % 5 == 0 ? [214, 120, 40] : [250, 246, 236] }
    if isForeSail(x, y) { return [228, 206, 120] }
    if y >= horizon { return sea(x, y) }
    let (dx, dy) = (x - 352, y - 66)
    let distance = dx * dx + dy * dy
    if distance < 30 * 30 { return [255, 226, 140] }
    let glow = max(0, 70 - distance / 120)
    return [96 + y / 2 + glow, 150 + y / 3 + glow / 2, 226 - y / 6]
  }

  private static func isHull(_ x: Int, _ y: Int) -> Bool {
    guard y >= 214, y < 240 else { return false }
    let inset = (y - 214) * (y - 214) / 20
    return x >= 130 + inset && x < 322 - inset
  }

  private static func isMainSail(_ x: Int, _ y: Int) -> Bool {
    guard y >= 78, y < 206 else { return false }
    return x >= 228 && x < 228 + (y - 78) * 5 / 8
  }

  private static func isForeSail(_ x: Int, _ y: Int) -> Bool {
    guard y >= 96, y < 206 else { return false }
    return x < 220 && x >= 220 - (y - 96) * 5 / 7
  }

  /// Waves: rows of triangles that grow towards the viewer, with a streak of sunlight.
  private static func sea(_ x: Int, _ y: Int) -> [Int] {
    let depth = y - horizon
    let length = 12 + depth / 4
    let phase = (x + depth * depth / 23) % length
    let crest = abs(2 * phase - length) * 40 / length
    let light = abs(x - 352) < 18 + depth / 3 && (depth / 3 + x / 7) % 3 == 0 ? 70 : 0
    return [
      18 + crest / 2 + light, 74 + crest - depth / 5 + light, 128 + crest - depth / 6 + light / 2,
    ]
  }

  /// A fixed pseudo-random offset of -6 … 6 for each pixel.
  private static func grain(_ x: Int, _ y: Int) -> Int {
    var bits = UInt32(truncatingIfNeeded: x &* 374_761_393 &+ y &* 668_265_263)
    bits = (bits ^ bits >> 13) &* 1_274_126_177
    return Int((bits ^ bits >> 16) % 13) - 6
  }
}
