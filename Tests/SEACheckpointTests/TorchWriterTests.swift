// SPDX-License-Identifier: Apache-2.0
// Torch files that we write are read back, value for value, and are the same bytes each time.

import Foundation
import SEACheckpoint
import SEATensor
import Testing

@Suite struct TorchWriterTests {
  @Test func isReadBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/mm_projector.bin"
    let values = (0..<300 * 70).map { Float($0) * 0.25 - 7 }
    let tensors = [
      TorchTensor(name: "model.mm_projector.0.weight", shape: [300, 70], values: values),
      TorchTensor(name: "model.mm_projector.0.bias", shape: [3], values: [1, -2, .pi]),
      TorchTensor(name: "s", shape: [], values: [5]),
    ]
    try TorchWriter.write(tensors, to: path)
    let archive = try TorchArchive(path: path)
    #expect(archive.tensors.map(\.name) == tensors.map(\.name))
    for (tensor, wanted) in zip(archive.tensors, tensors) {
      let read = SourceTensor(tensor, file: archive.file)
      #expect(read.shape == wanted.shape)
      #expect(read.floats() == wanted.values)
    }
    let first = try Data(contentsOf: URL(fileURLWithPath: path))
    try TorchWriter.write(tensors, to: path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == first)
  }
}
