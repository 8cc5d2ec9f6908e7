// SPDX-License-Identifier: Apache-2.0
// One tensor of a safetensors file: what it is and where its bytes are; and how much a file may
// claim.

package import SEATensor

/// A tensor as a header describes it.
package struct SafetensorsInfo: Sendable, Equatable {
  /// The name, compared by bytes.
  package let name: String
  /// The type of each element.
  package let type: ElementType
  /// The dimensions, outermost first; empty for a scalar.
  package let shape: [Int]
  /// Where the bytes are, counted from the start of the file.
  package let range: Range<Int>

  /// A tensor of a file.
  package init(name: String, type: ElementType, shape: [Int], range: Range<Int>) {
    self.name = name
    self.type = type
    self.shape = shape
    self.range = range
  }

  /// The number of bytes.
  package var byteCount: Int {
    range.count
  }

  /// The number of elements.
  package var elementCount: Int {
    range.count / type.size
  }

  /// The bytes that `shape` takes, or nil when the number does not fit.
  package static func byteCount(_ type: ElementType, _ shape: [Int]) -> Int? {
    var bytes = type.size
    for dimension in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: dimension)
      guard !overflow, dimension >= 0 else { return nil }
      bytes = product
    }
    return bytes
  }
}

/// How much a safetensors file may claim before it is refused.
package struct SafetensorsLimits: Sendable {
  /// The longest header in bytes.
  package let headerBytes: Int
  /// The most tensors.
  package let tensors: Int
  /// The most bytes that the metadata take as written.
  package let metadataBytes: Int

  /// The longest tensor name in bytes as written.
  static let nameBytes = 512
  /// The most dimensions.
  static let rank = 8
  /// The largest number that every JSON reader keeps exactly; larger ones are refused everywhere.
  static let largestNumber = 1 << 53

  /// For checkpoints that others wrote; 100 MB is the format's own limit.
  package static let foreign = SafetensorsLimits(
    headerBytes: 100_000_000,
    tensors: 131_072,
    metadataBytes: 1_000_000
  )

  /// For model files, whose metadata hold a description and a checksum for each tensor.
  package static let model = SafetensorsLimits(
    headerBytes: 16 << 20,
    tensors: 65_536,
    metadataBytes: 16 << 20
  )
}
