// SPDX-License-Identifier: Apache-2.0
// Pictures come from one folder: names, links and addresses that lead elsewhere are refused.

import Foundation
import SEADataset
import Testing

@Suite struct ImageFolderTests {
  private let folder: TemporaryFolder
  private let images: ImageFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("x", to: "root/a/b.png")
    try folder.write("x", to: "secret.png")
    let root = folder.path + "/root"
    try FileManager.default.createSymbolicLink(
      atPath: root + "/out.png",
      withDestinationPath: folder.path + "/secret.png"
    )
    try FileManager.default.createSymbolicLink(
      atPath: root + "/in.png",
      withDestinationPath: root + "/a/b.png"
    )
    images = try ImageFolder(path: root)
  }

  @Test(arguments: ["a/b.png", "./a/b.png", "a/../a/b.png", "in.png"])
  func findsPicturesInside(name: String) throws {
    #expect(try images.path(of: name).hasSuffix("/root/a/b.png"))
  }

  @Test func takesAbsolutePathsUnderTheRoot() throws {
    #expect(try images.path(of: folder.path + "/root/a/b.png").hasSuffix("/root/a/b.png"))
  }

  @Test(arguments: [
    "../secret.png", "a/../../secret.png", "out.png", "/etc/passwd", "../missing.png",
    "http://example.org/a.png", "file:///etc/passwd", "data:image/png;base64,AAAA", "a\0b", "",
    "/nowhere/at/all.png",
  ])
  func refusesWhatLeadsOut(name: String) {
    #expect {
      try images.path(of: name)
    } throws: { error in
      if case .imageOutside = error as? DatasetError { true } else { false }
    }
  }

  @Test(arguments: ["missing.png", "a", "a/missing/c.png"])
  func toldApartFromMissingPictures(name: String) {
    #expect {
      try images.path(of: name)
    } throws: { error in
      if case .imageMissing = error as? DatasetError { true } else { false }
    }
  }

  @Test func refusesARootThatIsNoFolder() {
    #expect(throws: DatasetError.self) { try ImageFolder(path: folder.path + "/secret.png") }
    #expect(throws: DatasetError.self) { try ImageFolder(path: folder.path + "/absent") }
  }
}
