// SPDX-License-Identifier: Apache-2.0
// The checksum is CRC-32C, whatever pieces the bytes come in.

import SEAFormat
import Testing

@Suite struct CRC32CTests {
  /// Known answers of RFC 3720 appendix B.4, and the customary check string.
  @Test func givesKnownAnswers() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(CRC32C.checksum([]) == 0)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46dd_794e)
    #expect(CRC32C.checksum((0..<32).map { UInt8(31 - $0) }) == 0x113f_db5c)
    #expect(CRC32C.digits(0x0000_0a0b) == "00000a0b")
  }

  @Test func doesNotDependOnPieces() {
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    let whole = bitwise(bytes)
    #expect(CRC32C.checksum(bytes) == whole)
    for cut in 0...bytes.count {
      var crc = CRC32C()
      crc.update(bytes.span.extracting(first: cut))
      crc.update(bytes.span.extracting(droppingFirst: cut))
      #expect(crc.value == whole)
    }
    for count in 0..<70 {
      #expect(CRC32C.checksum(Array(bytes[..<count])) == bitwise(bytes[..<count]))
    }
  }

  private func bitwise(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = ~0
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
    return ~crc
  }
}
