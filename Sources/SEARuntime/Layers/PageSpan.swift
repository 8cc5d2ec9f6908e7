// SPDX-License-Identifier: Apache-2.0
// The pages of a mapped file that a part's matrices lie in.

package import SEATensor

/// A range of a mapped file.
package struct PageSpan: Sendable {
  private let mapping: MappedFile
  private let range: Range<Int>

  /// Bytes `range` of `mapping`.
  package init(mapping: MappedFile, range: Range<Int>) {
    self.mapping = mapping
    self.range = range
  }

  /// Gives the pages back to the system; they are read again when touched.
  package func release() { mapping.release(range) }
}
