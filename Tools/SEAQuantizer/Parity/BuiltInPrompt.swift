// SPDX-License-Identifier: Apache-2.0
// The prompt that every parity verdict reads, and inputs for parts that stand alone.

import SEAModel
import SEATensor
import SEAText

/// 32 tokens: a fixed text where there is a tokenizer, fixed ids where there is none.
enum BuiltInPrompt {
  /// Tokens of the prompt.
  static let count = 32

  private static let text = """
    A small boat with an orange sail crosses the bay while the sun goes down. On the quay, three \
    children count the gulls: "Seven, eight, nine!" Their mother laughs and asks what they see. The \
    red hull is lit from the side, and the water around it is dark green.
    """

  /// The ids; every one is a row of the embedding table.
  static func ids(_ language: LanguageModelDescription, tokenizer: Tokenizer?) -> [Int32] {
    var ids: [Int32] = []
    if let tokenizer {
      ids = tokenizer.encode(text, recognizesSpecial: false, addsTemplate: false)
      ids = (tokenizer.settings.prefix + ids).filter { Int($0) < language.vocab }
    }
    var state: UInt32 = 2_463_534_242
    while ids.count < count {
      state ^= state << 13
      state ^= state >> 17
      state ^= state << 5
      ids.append(Int32(state % UInt32(language.vocab)))
    }
    return Array(ids.prefix(count))
  }

  /// Rows for an adapter whose encoder is elsewhere: even noise of unit variance.
  static func features(width: Int) throws -> MatrixView<Float> {
    let rows = try MatrixView<Float>(rows: count, columns: width)
    var state: UInt32 = 88_172_645
    for row in 0..<rows.rows {
      for column in 0..<rows.columns {
        state ^= state << 13
        state ^= state >> 17
        state ^= state << 5
        rows[row, column] = (Float(state >> 8) * 0x1p-23 - 1) * 1.732_050_8
      }
    }
    return rows
  }
}
