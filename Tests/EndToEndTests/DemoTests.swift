// SPDX-License-Identifier: Apache-2.0
// The shipped model answers questions about scenes that it never saw.

import SEAFormat
import SEATensor
import TestSupport
import Testing

@Suite struct DemoTests {
  private static let model = "\(Fixtures.repository)/Models/demo.sea"

  @Test func itsFileIsWhole() throws {
    try seaSucceeds("inspect", Self.model, "--verify")
  }

  @Test(arguments: [
    ("harbour", "What number is on the boat?", "5"),
    ("harbour", "What color is the shell in the bottom middle?", "white"),
    ("harbour", "How many boats are there?", "1"),
    ("lighthouse", "What is in the bottom middle?", "lighthouse"),
    ("lighthouse", "What color is the lighthouse in the bottom middle?", "pink"),
    ("lighthouse", "How many things are there?", "4"),
    ("lighthouse", "Which number does the buoy have?", "1"),
    ("crab", "What do you see in the bottom middle?", "crab"),
    ("crab", "What number can be read?", "2"),
  ])
  func answers(picture: String, question: String, answer: String) throws {
    let image = "\(Fixtures.repository)/Models/images/\(picture).png"
    let outcome = try sea("run", Self.model, "--image", image, "--max-tokens", "32", question)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.text == answer + "\n", "\(outcome)")
    #expect(outcome.errors.isEmpty, "\(outcome)")
  }
}
