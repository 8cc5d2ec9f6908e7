// SPDX-License-Identifier: Apache-2.0
// Times products and training steps on shapes of large models, with random weights.

import SEALayers
import SEAModel
import SEATensor

/// `layer-bench products [THREADS]`, or
/// `layer-bench step int8|bf16 keep|recompute [THREADS] [BLOCKS] [RANK]`.
///
/// A step is one sample of 729 visual and 40 text tokens, the loss on the 40, through Gemma-2B's
/// shape (18 blocks unless told otherwise) to the adapter's gradients; with a rank, also to those of
/// low-rank factors.
@main
struct LayerBench {
  static func main() throws {
    let words = CommandLine.arguments.dropFirst().map { String($0) }
    switch words.first {
    case "products": try products(threads: number(words, 1) ?? ProcessorCount.available)
    case "step" where words.count >= 3:
      try step(
        storage: words[1] == "bf16" ? .bfloat16 : .int8(group: 128),
        mode: ActivationMode(rawValue: words[2]) ?? .keep,
        threads: number(words, 3) ?? ProcessorCount.available,
        blocks: number(words, 4) ?? 18,
        rank: number(words, 5)
      )
    default:
      print("usage: layer-bench products [THREADS]")
      print("       layer-bench step int8|bf16 keep|recompute [THREADS] [BLOCKS] [RANK]")
    }
  }

  private static func number(_ words: [String], _ index: Int) -> Int? {
    index < words.count ? Int(words[index]) : nil
  }

  private static func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let time = try clock.measure(body)
    return Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
  }

  // MARK: - Products

  private static func products(threads: Int) throws {
    let kernels = TrainingKernels(try Kernels(named: nil))
    let pool = WorkerPool(threads: threads)
    print("\(threads) threads, bf16 products of the processor: \(kernels.multipliesBFloat16)")
    for (m, n, k) in [
      (769, 16_384, 2048), (769, 2048, 16_384), (769, 2048, 2048), (769, 256, 2048),
      (40, 65_536, 2048), (769, 16, 2048),
    ] {
      for precision in ProductPrecision.allCases {
        let execution = try TrainingExecution(
          kernels: kernels,
          pool: pool,
          precision: precision
        )
        let x: MatrixView<Float> = try filled(m, k)
        let w: MatrixView<Float> = try filled(n, k)
        let y: MatrixView<Float> = try filled(m, n)
        let halves = try MatrixView<UInt16>(rows: n, columns: k)
        kernels.inference.convert(w, toBFloat16: halves)
        let stored =
          precision == .bfloat16
          ? ProductOperand(halves, transposed: true) : ProductOperand(w, transposed: true)
        let back = precision == .bfloat16 ? ProductOperand(halves) : ProductOperand(w)
        let kinds: [(String, () -> Void)] = [
          ("y = x wᵀ", { execution.multiply(ProductOperand(x), stored, into: y) }),
          ("dx = dy w", { execution.multiply(ProductOperand(y), back, into: x) }),
          (
            "dw += dyᵀ x",
            {
              execution.multiply(
                ProductOperand(y, transposed: true),
                ProductOperand(x),
                into: w,
                accumulates: true
              )
            }
          ),
        ]
        for (name, run) in kinds {
          y.fill(0.25)
          x.fill(0.25)
          run()
          let best = (0..<3).map { _ in seconds(run) }.min() ?? 1
          let rate = 2 * Double(m) * Double(n) * Double(k) / best * 1e-9
          print("\(precision.rawValue) \(m)×\(n), k \(k): \(name)  \(Int(rate)) GFLOP/s")
        }
      }
    }
  }

  private static func filled(_ rows: Int, _ columns: Int) throws -> MatrixView<Float> {
    let matrix = try MatrixView<Float>(rows: rows, columns: columns)
    matrix.fill(0.125)
    return matrix
  }

  // MARK: - Step

  private static func step(
    storage: ParameterStorage,
    mode: ActivationMode,
    threads: Int,
    blocks: Int,
    rank: Int?
  ) throws {
    let model = ModelDescription(
      name: "gemma-2b",
      adapter: AdapterDescription(widths: [1152, 2048, 2048], activation: .geluErf),
      language: LanguageModelDescription(
        family: "gemma",
        blocks: blocks,
        hidden: 2048,
        heads: 8,
        kvHeads: 1,
        headDim: 256,
        ffn: 16_384,
        vocab: 256_000,
        activation: .geluTanh,
        epsilon: 1e-6,
        ropeTheta: 10_000,
        slidingWindow: 0,
        isHeadTied: true,
        embeddingScale: 2048.0.squareRoot(),
        maxPositions: 8192
      ),
      visualScale: 2048.0.squareRoot()
    )
    var options = TrainingOptions(trained: [.adapter])
    options.frozenStorage = storage
    options.precision = .bfloat16
    options.activations = mode
    options.lowRank = rank.map { LowRankOptions(rank: $0, alpha: Double(2 * $0)) }
    let execution = try TrainingExecution(
      kernels: TrainingKernels(try Kernels(named: nil)),
      pool: WorkerPool(threads: threads),
      precision: .bfloat16
    )
    var trained: TrainableModel?
    let loading = try seconds {
      trained = try TrainableModel(RandomSource(model: model), options: options, on: execution)
    }
    guard let trained else { return }
    print("loaded in \(loading) s")
    let features = try filled(729, 1152)
    let sample = TrainingSample(
      ids: [2, TrainingSample.imageID] + (0..<40).map { Int32(1000 + 17 * $0) },
      isTarget: [false, false] + [Bool](repeating: true, count: 40),
      pictures: [.features(features)]
    )
    for round in 0..<3 {
      var forward = PassOptions()
      forward.runsBackward = false
      var loss = 0.0
      let ahead =
        round == 2
        ? try seconds { _ = try trained.forwardBackward([sample], pass: forward) } : 0
      let time = try seconds {
        let result = try trained.forwardBackward([sample], onGradient: { $0.zeroGradient() })
        loss = result.generationLoss
      }
      print("step \(time) s, loss \(loss), forward alone \(ahead) s")
    }
  }
}

/// Random weights of any shape, around ±0.03; norms are 1.
private struct RandomSource: WeightSource {
  let model: ModelDescription

  func read(_ name: String, rows: Range<Int>, into out: MatrixView<Float>) throws {
    guard !name.contains("norm") else {
      out.fill(1)
      return
    }
    for row in 0..<out.rows {
      out.withRow(row) { (values: consuming MutableSpan<Float>) in
        var state = UInt32(truncatingIfNeeded: rows.lowerBound + row) &* 2_654_435_761 | 1
        for column in values.indices {
          state = state &* 1_664_525 &+ 1_013_904_223
          values[column] = Float(Int32(bitPattern: state)) * 0x1p-36
        }
      }
    }
  }

  func release(_ name: String) {}
}
