// SPDX-License-Identifier: Apache-2.0
// A picture that is shown again: encoded once, told from all others, kept within its bytes.

import SEAImage
import SEAModel
import SEARuntime
import SEATensor
import SEAText
import Testing

@Suite struct KnownPictureTests {
  /// Counts the pictures that a generator really encodes.
  private final class Counter {
    private(set) var count = 0

    var tracing: Tracing {
      Tracing { point, _ in if point == .visualTokens { self.count += 1 } }
    }
  }

  private static func picture(_ width: Int, _ height: Int, step: Int = 1) -> PixelImage {
    PixelImage(
      width: width,
      height: height,
      pixels: (0..<width * height * 3).map { UInt8($0 * step % 251) }
    )
  }

  /// What one picture of the fixture's model takes: 3 × 60 × 60 pixels and 16 × 72 tokens in f32.
  private static let pictureBytes = (3 * 60 * 60 + 16 * 72) * 4

  @Test func theSamePictureIsEncodedOnce() throws {
    let generator = try ModelFixture(policy: .int8(group: 32)).generator()
    let counter = Counter()
    let first = try generator.encode(Self.picture(30, 20), tracing: counter.tracing)
    let again = try generator.encode(Self.picture(30, 20), tracing: counter.tracing)
    #expect(counter.count == 1)
    #expect(bits(first.rows.array()) == bits(again.rows.array()))
    generator.reset()
    _ = try generator.encode(Self.picture(30, 20), tracing: counter.tracing)
    #expect(counter.count == 2)
  }

  /// The same bytes as lines of another length, one other byte, and the same values said to be cut
  /// from another shape are all other pictures.
  @Test func otherShapesAndValuesAreOtherPictures() throws {
    let generator = try ModelFixture(policy: .int8(group: 32)).generator()
    let counter = Counter()
    let flat = Self.picture(30, 20)
    var changed = flat.pixels
    changed[changed.count - 1] ^= 0x80
    let pictures = [
      flat,
      PixelImage(width: 20, height: 30, pixels: flat.pixels),
      PixelImage(width: 30, height: 20, pixels: changed),
    ]
    let seen = try pictures.map {
      bits(try generator.encode($0, tracing: counter.tracing).rows.array())
    }
    #expect(counter.count == 3)
    #expect(seen[0] != seen[1] && seen[0] != seen[2] && seen[1] != seen[2])
    let values = try generator.model.pixels(of: flat).values
    for size in [ImageSize(height: 30, width: 20), ImageSize(height: 20, width: 30), nil] {
      _ = try generator.encode(values, of: size, tracing: counter.tracing)
    }
    // 30 × 20 pixels with these values were seen before, the other two were not.
    #expect(counter.count == 5)
    // A zero of the other sign is another value, and a value that is no number is the same twice.
    var signed = values
    (signed[0], signed[1]) = (0, .nan)
    for zero in [Float(0), -0.0, 0] {
      signed[0] = zero
      _ = try generator.encode(signed, tracing: counter.tracing)
    }
    #expect(counter.count == 7)
  }

  @Test func thePictureUnusedForLongestMakesRoom() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    let generator = try fixture.generator(GeneratorOptions(knownPictures: 2))
    let counter = Counter()
    // After 1 and 2, 1 is used; so 3 takes the place of 2, and 2, while 1 is used, that of 3.
    let encoded = try [(1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (2, 4), (1, 4), (3, 5)].map {
      step,
      count in
      _ = try generator.encode(Self.picture(30, 20, step: step), tracing: counter.tracing)
      return counter.count == count
    }
    #expect(encoded.allSatisfy { $0 }, "\(encoded)")
    let forgetful = try fixture.generator(GeneratorOptions(knownPictures: 0))
    for _ in 0..<2 { _ = try forgetful.encode(Self.picture(30, 20), tracing: counter.tracing) }
    #expect(counter.count == 7)
  }

  @Test func plansCountThemAndGiveThemUpFirst() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    let header = try ModelHeader(path: fixture.path)
    func plan(_ limit: Int) throws -> GeneratorPlan {
      try GeneratorPlan(
        header,
        options: GeneratorOptions(),
        threads: 2,
        limit: MemoryLimit(limit, .request)
      )
    }
    let roomy = try plan(.max)
    #expect(roomy.pictureBytes == 4 * Self.pictureBytes)
    #expect(
      roomy.memory.parts.contains {
        $0.name == "known pictures" && $0.bytes == 4 * Self.pictureBytes && $0.phase == .always
      }
    )
    let tight = try plan(roomy.memory.peakBytes - 1)
    #expect(tight.pictureBytes == 0 && !tight.memory.releasesWeights)
    #expect(tight.memory.peakBytes == roomy.memory.peakBytes - 4 * Self.pictureBytes)
    try tight.check()
  }

  /// The prompt up to the second question is kept, picture included, and no bit shows it.
  @Test func aSecondQuestionKeepsWhatWasRead() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    let picture = Self.picture(30, 20)
    let (start, questions): ([Int32], [[Int32]]) = (
      [2, 9, Prompt.imageID, 912], [[818, 11, 5], [77, 11, 6, 13]]
    )
    let generator = try fixture.generator()
    let counter = Counter()
    for question in questions {
      let tokens = try generator.encode(picture, tracing: counter.tracing)
      try generator.read(start + question, images: [tokens])
    }
    #expect(counter.count == 1)
    // 3 ids and 16 patches, then the question.
    let shared = start.count - 1 + 16
    let fresh = try fixture.generator(threads: 1)
    let tokens = try fresh.encode(picture)
    try fresh.read(start + questions[1], images: [tokens])
    #expect(bits(generator.context.logits.array()) == bits(fresh.context.logits.array()))
    #expect(generator.keptPositions == shared && fresh.keptPositions == 0)
    let options = GenerationOptions(maxTokens: 8)
    #expect(try generator.generate(options).ids == fresh.generate(options).ids)
  }
}
