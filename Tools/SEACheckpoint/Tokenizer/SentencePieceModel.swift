// SPDX-License-Identifier: Apache-2.0
// A SentencePiece model file (`tokenizer.model`, `spiece.model`), read and checked.

package import SEATensor
import SEAText

/// What a SentencePiece model file holds, as far as ids depend on it.
/// - Source: sentencepiece `sentencepiece_model.proto`; the checks are those of `model_interface.cc`
///   and more.
package struct SentencePieceModel: Sendable {
  /// What a piece is for.
  enum Kind: UInt64, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  /// A piece; its id is its place.
  struct Piece: Sendable {
    var text: [UInt8]
    var score: Float
    var kind: Kind
  }

  /// How text is cut into pieces.
  enum Algorithm: Sendable {
    case unigram
    case bytePair
  }

  /// The normaliser inside the model.
  struct Normalizer: Sendable {
    var charsmap: [UInt8] = []
    var addsDummyPrefix = true
    var removesExtraSpaces = true
    var escapesSpaces = true
  }

  let path: String
  private(set) var pieces: [Piece] = []
  private(set) var algorithm = Algorithm.unigram
  private(set) var normalizer = Normalizer()
  private(set) var hasByteFallback = false
  private(set) var marksWordEnds = false

  /// Largest file; those of 256,000 pieces have 4 MB.
  private static let maximumFile = 128 << 20
  /// Longest piece, as in the library.
  private static let maximumPiece = 7999

  /// Reads the bytes of a file.
  ///
  /// - Throws: `CheckpointError` with the byte offset or the number of the piece.
  package init(_ bytes: ByteView, path: String) throws(CheckpointError) {
    self.path = path
    guard bytes.count <= Self.maximumFile else {
      throw .malformed(
        path: path,
        problem: "\(bytes.count) bytes, expected at most \(Self.maximumFile)",
      )
    }
    let content = bytes.array()
    do throws(Fault) {
      try read(content)
    } catch {
      switch error {
      case .wire(let failure):
        throw .malformed(path: path, problem: "byte \(failure.offset): \(failure.problem)")
      case .content(let error): throw error
      }
    }
    try check()
  }

  /// The piece of the kind unknown.
  var unknown: Int? { pieces.firstIndex { $0.kind == .unknown } }
}

// MARK: - Reading

extension SentencePieceModel {
  private enum Fault: Error {
    case wire(ProtobufReader.Failure)
    case content(CheckpointError)
  }

  /// The fields of a message, one after the other.
  private static func forEachField(
    _ bytes: [UInt8],
    _ range: Range<Int>,
    _ body: (ProtobufReader.Field) throws(Fault) -> Void
  ) throws(Fault) {
    var reader = ProtobufReader(bytes, range)
    while true {
      let field: ProtobufReader.Field?
      do throws(ProtobufReader.Failure) {
        field = try reader.next()
      } catch {
        throw .wire(error)
      }
      guard let field else { return }
      try body(field)
    }
  }

  private mutating func read(_ bytes: [UInt8]) throws(Fault) {
    try Self.forEachField(bytes, 0..<bytes.count) { field throws(Fault) in
      guard case .bytes(let range) = field.value else { return }
      switch field.number {
      case 1: try readPiece(bytes, range)
      case 2: try readTrainer(bytes, range)
      case 3: try readNormalizer(bytes, range)
      case 5: try readDenormalizer(bytes, range)
      default: break
      }
    }
  }

  private mutating func readPiece(_ bytes: [UInt8], _ range: Range<Int>) throws(Fault) {
    let id = pieces.count
    guard id < TokenizerSettings.maximumCount else {
      throw fault("pieces", "more than \(TokenizerSettings.maximumCount)")
    }
    var piece = Piece(text: [], score: 0, kind: .normal)
    try Self.forEachField(bytes, range) { field throws(Fault) in
      switch (field.number, field.value) {
      case (1, .bytes(let text)): piece.text = Array(bytes[text])
      case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
      case (3, .varint(let value)):
        guard let kind = Kind(rawValue: value) else {
          throw fault("pieces[\(id)].type", "\(value), expected 1...6")
        }
        piece.kind = kind
      case (1...3, _): throw fault("pieces[\(id)]", "field \(field.number) has a wrong wire type")
      default: break
      }
    }
    pieces.append(piece)
  }

  private mutating func readTrainer(_ bytes: [UInt8], _ range: Range<Int>) throws(Fault) {
    try Self.forEachField(bytes, range) { field throws(Fault) in
      guard case .varint(let value) = field.value else { return }
      switch field.number {
      case 3:
        switch value {
        case 1: algorithm = .unigram
        case 2: algorithm = .bytePair
        default:
          throw .content(
            .unsupported(path: path, what: "trainer_spec.model_type \(value) (words or characters)")
          )
        }
      case 24: marksWordEnds = value != 0
      case 35: hasByteFallback = value != 0
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ bytes: [UInt8], _ range: Range<Int>) throws(Fault) {
    try Self.forEachField(bytes, range) { field throws(Fault) in
      switch (field.number, field.value) {
      case (2, .bytes(let map)): normalizer.charsmap = Array(bytes[map])
      case (3, .varint(let value)): normalizer.addsDummyPrefix = value != 0
      case (4, .varint(let value)): normalizer.removesExtraSpaces = value != 0
      case (5, .varint(let value)): normalizer.escapesSpaces = value != 0
      case (2...5, _):
        throw fault("normalizer_spec", "field \(field.number) has a wrong wire type")
      default: break
      }
    }
  }

  private func readDenormalizer(_ bytes: [UInt8], _ range: Range<Int>) throws(Fault) {
    try Self.forEachField(bytes, range) { field throws(Fault) in
      guard field.number == 2, case .bytes(let map) = field.value, !map.isEmpty else { return }
      throw .content(.unsupported(path: path, what: "denormalizer_spec with a character map"))
    }
  }

  private func fault(_ field: String, _ problem: String) -> Fault {
    .content(.badField(path: path, field: field, problem: problem))
  }
}

// MARK: - Checking

extension SentencePieceModel {
  private func check() throws(CheckpointError) {
    guard !pieces.isEmpty else {
      throw .malformed(path: path, problem: "no pieces; this is no SentencePiece model")
    }
    for (id, piece) in pieces.enumerated() {
      if let problem = Self.problem(piece) {
        throw .badField(path: path, field: "pieces[\(id)]", problem: problem)
      }
      if piece.kind == .byte, !hasByteFallback {
        throw .badField(
          path: path,
          field: "pieces[\(id)]",
          problem: "a byte piece, though byte_fallback is off",
        )
      }
    }
    let unknowns = pieces.count { $0.kind == .unknown }
    guard unknowns == 1 else {
      throw .malformed(path: path, problem: "\(unknowns) pieces of type unknown, expected 1")
    }
    let bytes = Set(pieces.filter { $0.kind == .byte }.map(\.text))
    guard !hasByteFallback || bytes.count == 256 else {
      throw .malformed(
        path: path,
        problem: "byte_fallback is on with \(bytes.count) byte pieces, expected 256",
      )
    }
  }

  private static func problem(_ piece: Piece) -> String? {
    if piece.text.isEmpty { return "the text is empty" }
    if piece.text.count > maximumPiece {
      return "\(piece.text.count) bytes, expected at most \(maximumPiece)"
    }
    if piece.text.contains(0) { return "the text has a NUL" }
    if String(validating: piece.text, as: UTF8.self) == nil { return "the text is no UTF-8" }
    guard piece.score.magnitude < 1e30 else { return "score \(piece.score), expected a number" }
    if piece.kind == .byte, byte(named: piece.text) == nil {
      return "a byte piece must be named like <0x0A>"
    }
    return nil
  }

  /// The byte of a piece like `<0x0A>`, or nil.
  private static func byte(named text: [UInt8]) -> Int? {
    let digits = Array("0123456789ABCDEF".utf8)
    guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">"),
      let high = digits.firstIndex(of: text[3]), let low = digits.firstIndex(of: text[4])
    else { return nil }
    return high << 4 | low
  }
}
