// SPDX-License-Identifier: Apache-2.0
// Pictures that are none, or not the one they claim to be, through `sea run` and `sea probe`.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct PictureTests {
  /// Expects both commands to refuse a picture, within seconds.
  static func expectRefused(
    _ path: String,
    _ status: Int32,
    _ words: String...,
    input: String = "/dev/null",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try Folder()
    for arguments in [
      ["run", Models.gemma, "hi", "--image", path],
      ["probe", Models.gemma, "--image", path, "-o", folder / "probe"],
    ] {
      let outcome = try Command(arguments: arguments, input: input, limit: 10).run()
      expectRefusal(outcome, status, sourceLocation: sourceLocation)
      for word in words {
        #expect(outcome.errors.contains(word), "\(outcome)", sourceLocation: sourceLocation)
      }
    }
    #expect(try folder.names.isEmpty, sourceLocation: sourceLocation)
  }

  @Test func filesThatAreNoPicturesAreRefused() throws {
    let folder = try Folder()
    try Self.expectRefused(try folder.write("empty.png", ""), 65, "empty.png", "empty")
    try Self.expectRefused(
      try folder.write("text.jpg", "just text"),
      65,
      "text.jpg",
      "not a picture"
    )
    try Self.expectRefused(folder / "absent.png", 66, "absent.png: no such file")
    mkfifo(folder / "pipe", 0o600)
    try Self.expectRefused(folder / "pipe", 66, "pipe")
    try Self.expectRefused("/dev/zero", 66, "/dev/zero")
    try Self.expectRefused(folder.path, 66, folder.path)
    let huge = try folder.write("huge.png", try contents(Picture.harbour))
    truncate(huge, 20_000_001)
    try Self.expectRefused(huge, 65, "huge.png", "20000000")
  }

  @Test func theContentDecidesNotTheName() throws {
    let folder = try Folder()
    let path = try folder.write("picture.jpg", try contents(Picture.harbour))
    let renamed = try sea("run", Models.gemma, "hi", "--image", path, "--max-tokens", "8")
    let named = try sea("run", Models.gemma, "hi", "--image", Picture.harbour, "--max-tokens", "8")
    #expect(renamed.status == 0, "\(renamed)")
    #expect(renamed.output == named.output)
  }

  @Test func picturesThatEndEarlyAreRefused() throws {
    let folder = try Folder()
    let whole = try contents(Picture.harbour)
    for count in [1, 8, 20, 33, whole.count / 2, whole.count - 13, whole.count - 1] {
      let path = try folder.write("cut.png", Array(whole.prefix(count)))
      let outcome = try sea("run", Models.gemma, "hi", "--image", path)
      expectRefusal(outcome, 65, "cut.png")
    }
  }

  @Test func aSizeThatIsNotThereTakesNoMemory() throws {
    let folder = try Folder()
    for (width, height) in [(65_535, 65_535), (0x7fff_ffff, 1), (0, 4), (4, 0), (1, 0x7fff_ffff)] {
      let path = try folder.write("bomb.png", Picture.hollow(width: width, height: height))
      let outcome = try Command(
        program: "/bin/bash",
        arguments: [
          "-c", #"ulimit -v 1500000; exec "$0" run "$1" hi --image "$2""#,
          "\(Fixtures.products)/sea", Models.gemma, path,
        ],
        limit: 10
      ).run()
      expectRefusal(outcome, 65, "bomb.png")
    }
    let path = try folder.write("hollow.png", Picture.hollow(width: 100, height: 100))
    try Self.expectRefused(path, 65, "hollow.png")
  }

  @Test func anEndlessInputEndsAtTheLimit() throws {
    try Self.expectRefused("-", 65, "standard input", "20000000", input: "/dev/zero")
    try Self.expectRefused("-", 65, "standard input", "empty")
  }

  @Test func aTensorOfPixelsMustFit() throws {
    let folder = try Folder()
    let files = [
      (
        "shape",
        TensorFile.Tensor.float32("pixels", [3, 10, 10], [Double](repeating: 0, count: 300))
      ),
      ("name", .float32("pixel", [3, 60, 60], [Double](repeating: 0, count: 10_800))),
    ]
    for (name, tensor) in files {
      let path = try folder.write(name, TensorFile(tensors: [tensor]).bytes)
      let outcome = try sea("probe", Models.gemma, "--pixels", path, "-o", folder / "out")
      expectRefusal(outcome, 65, name, "pixels")
    }
    #expect(try folder.names == ["name", "shape"])
  }
}
