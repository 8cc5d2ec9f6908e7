// SPDX-License-Identifier: Apache-2.0
// The one type that an app needs.

import Foundation
import SEARuntime
import SEATensor
import Testing

@Suite struct AssistantTests {
  /// A grey PNG of one pixel, 8-bit RGB.
  static let png = Data(
    base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAA"
      + "AADElEQVR4nGNoaGgAAAMEAYFL09IQAAAAAElFTkSuQmCC"
  )

  @Test func answersAreStreamedAndWhole() throws {
    let fixture = try ModelFixture(policy: .int8(group: 32))
    var options = Assistant.Options()
    options.threads = 1
    let assistant = try Assistant(modelPath: fixture.path, options: options)
    var streamed = ""
    let image = [UInt8](try #require(Self.png))
    let answer = try assistant.answer("What is this?", images: [image], maxTokens: 12) { text in
      streamed += text
      return true
    }
    #expect(streamed == answer)
    #expect(try assistant.answer("What is this?", images: [image], maxTokens: 12) == answer)
    #expect(throws: (any Error).self) {
      try assistant.answer("What is this?", images: [[1, 2, 3]])
    }
  }

  @Test func whatCannotRunIsRefused() throws {
    let fixture = try ModelFixture()
    var options = Assistant.Options()
    options.instructionSet = "mmx"
    #expect(throws: InstructionSetError.unknown(name: "mmx")) {
      _ = try Assistant(modelPath: fixture.path, options: options)
    }
    options = Assistant.Options()
    options.maxMemory = 1 << 10
    #expect(throws: RuntimeError.self) {
      _ = try Assistant(modelPath: fixture.path, options: options)
    }
  }
}
