// SPDX-License-Identifier: Apache-2.0
// Reference tensors, and the models they were computed with.

import Foundation
import SEACheckpoint
import SEAFormat
import SEALayers
import SEAModel
import SEATensor
import TestSupport
import Testing

/// The tensors of a reference file; integers are exact in f32.
struct Reference {
  let values: [String: [Float]]
  let shapes: [String: [Int]]

  /// A fixture of this target, or any file.
  init(_ name: String) throws {
    let path = name.hasPrefix("/") ? name : Fixtures.path("SEALayersTests", name)
    let file = try SafetensorsFile(path: path)
    var values: [String: [Float]] = [:]
    var shapes: [String: [Int]] = [:]
    for info in file.tensors {
      let bytes = file.bytes(of: info)
      values[info.name] = (0..<bytes.count / info.type.size).map { index in
        switch info.type {
        case .int32: Float(bytes.loadLittleEndian(at: index * 4, as: Int32.self))
        case .bfloat16:
          Float(
            bitPattern: UInt32(bytes.loadLittleEndian(at: index * 2, as: UInt16.self)) << 16
          )
        default: Float(bitPattern: bytes.loadLittleEndian(at: index * 4, as: UInt32.self))
        }
      }
      shapes[info.name] = info.shape
    }
    self.values = values
    self.shapes = shapes
  }

  subscript(name: String) -> [Float] {
    get throws { try #require(values[name], "no tensor \(name)") }
  }

  func number(_ name: String) throws -> Double { Double(try self[name][0]) }

  /// Row `row` of ids and labels as a sample; padding, where the mask is 0, left out.
  func sample(
    ids: String,
    labels: String,
    row: Int = 0,
    mask: String? = nil,
    pictures: [TrainingPicture] = []
  ) throws -> TrainingSample {
    let width = try #require(shapes[ids]?.last)
    let range = row * width..<(row + 1) * width
    let kept = try mask.map { try self[$0][range].map { $0 != 0 } }
    func part(_ name: String) throws -> [Int32] {
      try self[name][range].enumerated().compactMap { index, value in
        kept?[index] ?? true ? Int32(value) : nil
      }
    }
    return TrainingSample(
      ids: try part(ids),
      isTarget: try part(labels).map { $0 != -100 },
      pictures: pictures
    )
  }
}

/// A checkpoint whose vocabulary is cut to its first rows.
struct CroppedSource: WeightSource {
  let source: SourceModel
  var model: ModelDescription

  init(_ source: SourceModel, vocab: Int) {
    self.source = source
    model = source.model
    model.language?.vocab = vocab
  }

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    try source.read(name, rows: rows, into: out)
  }

  func release(_ name: String) {}
}

enum TinyModels {
  static func llama() throws -> SourceModel {
    try SourceModel(path: Fixtures.path("SEARuntimeTests", "llama-tiny"))
  }

  static func multimodal() throws -> CroppedSource {
    var options = SourceOptions()
    options.visualScale = .squareRoot
    let path = Fixtures.path("SEARuntimeTests", "sea-gemma-tiny")
    return CroppedSource(try SourceModel(path: path, options: options), vocab: 1024)
  }

  /// Pixels of picture `index` of the multimodal fixture.
  static func pixels(_ index: Int) throws -> [Float] {
    let path = Fixtures.path("SEARuntimeTests", "sea-gemma-tiny/reference.safetensors")
    return try Reference(path)["image\(index).pixel_values"]
  }
}

/// An execution for tests.
func execution(
  _ precision: ProductPrecision = .float32,
  threads: Int = 2,
  level: InstructionSet = .best
) throws -> TrainingExecution {
  try TrainingExecution(
    kernels: TrainingKernels(try Kernels(level)),
    pool: WorkerPool(threads: threads),
    precision: precision
  )
}

/// The canonical name of a tensor of the original layouts.
func canonical(_ name: String) -> String {
  var result = name
  for (from, to) in [
    ("model.vision_tower.vision_tower.vision_model.", "vision."),
    ("embeddings.patch_embedding", "patch"), ("embeddings.position_embedding.weight", "position"),
    ("encoder.layers.", "blk."), ("layer_norm", "norm"), ("self_attn.out_proj", "attn.o"),
    ("model.mm_projector.0", "adapter.0"), ("model.mm_projector.2", "adapter.1"),
    ("base_model.model.", ""), ("model.embed_tokens", "llm.embed"), ("lm_head", "llm.head"),
    ("model.layers.", "llm.blk."), ("model.norm", "llm.norm"), ("self_attn.", "attn."),
    ("input_layernorm", "norm1"), ("post_attention_layernorm", "norm2"), ("_proj", ""),
    ("lora_A.weight", "lora_a"), ("lora_B.weight", "lora_b"),
  ] {
    result = result.replacingOccurrences(of: from, with: to)
  }
  return result
}

/// Records an issue unless `actual` is within `relative · max|expected| + absolute`, and its cosine
/// with `expected` above `cosine`.
func expectClose(
  _ actual: [Float],
  _ expected: [Float],
  relative: Double,
  absolute: Double = 1e-7,
  cosine: Double? = nil,
  _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record(
      "\(what): \(actual.count) values, not \(expected.count)",
      sourceLocation: sourceLocation
    )
    return
  }
  var (largest, worst, product, first, second) = (0.0, 0.0, 0.0, 0.0, 0.0)
  for (a, e) in zip(actual, expected) {
    let (a, e) = (Double(a), Double(e))
    largest = max(largest, abs(e))
    worst = abs(a - e) <= worst ? worst : abs(a - e)
    product += a * e
    first += a * a
    second += e * e
  }
  #expect(
    worst <= relative * largest + absolute,
    "\(what): off by \(worst) of \(largest)",
    sourceLocation: sourceLocation
  )
  if let cosine, largest > 0 {
    let found = product / (first * second).squareRoot()
    #expect(found > cosine, "\(what): cosine \(found)", sourceLocation: sourceLocation)
  }
}

/// The gradient of a parameter that must have one.
func gradient(_ name: String, _ model: TrainableModel) throws -> [Float] {
  let parameter = try #require(model.parameters[name], "no parameter \(name)")
  return try #require(parameter.gradient, "no gradient of \(name)").array()
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
