// SPDX-License-Identifier: Apache-2.0
// Contrastive and sigmoid losses against PyTorch, published numbers and differences.

import Foundation
import SEALayers
import SEATensor
import TestSupport
import Testing

@Suite struct ContrastiveLossTests {
  @Test(arguments: [
    "n1_dup0", "n2_dup0", "n17_dup0", "n17_dup5", "n144_dup0", "n144_dup20",
  ])
  func referenceIsMet(_ name: String) throws {
    let reference = try Reference("contrastive/reference.safetensors")
    let width = try #require(reference.shapes["\(name).X"]?.last)
    let x = try MatrixView(try reference["\(name).X"], columns: width)
    let t = try MatrixView(try reference["\(name).T"], columns: width)
    let dx = try MatrixView<Float>(rows: x.rows, columns: width)
    let dt = try MatrixView<Float>(rows: x.rows, columns: width)
    let tau = Float(try reference.number("\(name).tau"))
    let loss = ContrastiveLoss(on: try execution(.bfloat16))
    let result = try loss.run(x, t, temperature: .tau(tau), dx: dx, dt: dt)
    for (value, part) in [
      (result.loss, "loss"), (result.forward, "loss_v2t"), (result.backward, "loss_t2v"),
    ] {
      let expected = try reference.number("\(name).\(part)")
      #expect(abs(value - expected) <= 1e-5 * expected + 1e-9, "\(part)")
    }
    for (values, part) in [(dx, "dX"), (dt, "dT")] {
      expectClose(
        values.array(),
        try reference["\(name).\(part)"],
        relative: 1e-4,
        absolute: 1e-6,
        part
      )
    }
    let dtau = try reference.number("\(name).dtau")
    #expect(abs(result.temperatureGradient - dtau) <= 1e-4 * abs(dtau) + 1e-6)
    // The other parameter of the same temperature: dL/dp = -τ dL/dτ.
    let other = try loss.run(
      x,
      t,
      temperature: .logScale(Float(log(1 / Double(tau)))),
      dx: nil
    )
    #expect(
      abs(other.temperatureGradient + Double(tau) * dtau) <= 1e-4 * abs(dtau * Double(tau)) + 1e-6
    )
  }

  @Test func publishedValuesAreMet() throws {
    let x = try MatrixView<Float>([1, 0, 0, 1, 1, 0, 0, 1, 1], columns: 3)
    let t = try MatrixView<Float>([2, 1, 0, 0, 3, 0, 0, 1, 2], columns: 3)
    let dx = try MatrixView<Float>(rows: 3, columns: 3)
    let loss = ContrastiveLoss(on: try execution())
    let one = try loss.run(x, t, temperature: .logScale(0), dx: dx)
    #expect(abs(one.loss - 0.841063528) < 1e-6)
    #expect(abs(one.temperatureGradient + 0.203865183) < 1e-6)
    expectClose(
      dx.array(),
      [
        0, 0.022679349, 0.063619339, 0.082905269, -0.082905269, 0.053363809, 0.046769141,
        0.082898657, -0.082898657,
      ],
      relative: 1e-5,
      "dx"
    )
    let sharp = try loss.run(x, t, temperature: .tau(0.07), dx: nil)
    #expect(abs(sharp.loss - 0.893519101) < 1e-5)
    #expect(abs(-0.07 * sharp.temperatureGradient - 0.627572232) < 1e-5)
  }

  @Test func weightScalesGradientsAndNotTheLoss() throws {
    var random = SeededRandom(seed: 7)
    let x = try MatrixView(random.floats(600 * 8), columns: 8)
    let t = try MatrixView(random.floats(600 * 8), columns: 8)
    let loss = ContrastiveLoss(on: try execution())
    var gradients: [[Float]] = []
    var results: [ContrastiveResult] = []
    for weight: Float in [1, 0.5] {
      let dx = try MatrixView<Float>(rows: 600, columns: 8)
      results.append(
        try loss.run(x, t, temperature: .tau(0.1), weight: weight, dx: dx)
      )
      gradients.append(dx.array())
    }
    #expect(results[0].loss == results[1].loss)
    #expect(results[0].temperatureGradient / 2 == results[1].temperatureGradient)
    expectClose(gradients[1].map { $0 * 2 }, gradients[0], relative: 1e-6, "dx")
  }

  @Test func sigmoidLossMeetsItsDifferences() throws {
    var random = SeededRandom(seed: 8)
    let (pairs, width) = (5, 6)
    let values = (x: random.floats(pairs * width), t: random.floats(pairs * width))
    let loss = SigmoidLoss(on: try execution())
    func value(_ x: [Float], _ t: [Float], _ p: Float, _ bias: Float) throws -> Double {
      try loss.run(
        MatrixView(x, columns: width),
        MatrixView(t, columns: width),
        logScale: p,
        bias: bias,
        dx: nil,
        dt: nil
      ).loss
    }
    let dx = try MatrixView<Float>(rows: pairs, columns: width)
    let dt = try MatrixView<Float>(rows: pairs, columns: width)
    let result = try loss.run(
      MatrixView(values.x, columns: width),
      MatrixView(values.t, columns: width),
      logScale: 1.2,
      bias: -0.7,
      dx: dx,
      dt: dt
    )
    let h: Float = 0.01
    let slopes = try values.x.indices.map { index -> Float in
      var (up, down) = (values.x, values.x)
      up[index] += h
      down[index] -= h
      let difference = try value(up, values.t, 1.2, -0.7) - value(down, values.t, 1.2, -0.7)
      return Float(difference / Double(up[index] - down[index]))
    }
    expectClose(dx.array(), slopes, relative: 2e-3, "dx")
    let textSlopes = try values.t.indices.map { index -> Float in
      var (up, down) = (values.t, values.t)
      up[index] += h
      down[index] -= h
      let difference = try value(values.x, up, 1.2, -0.7) - value(values.x, down, 1.2, -0.7)
      return Float(difference / Double(up[index] - down[index]))
    }
    expectClose(dt.array(), textSlopes, relative: 2e-3, "dt")
    let p = try value(values.x, values.t, 1.21, -0.7) - value(values.x, values.t, 1.19, -0.7)
    let b = try value(values.x, values.t, 1.2, -0.69) - value(values.x, values.t, 1.2, -0.71)
    #expect(abs(result.logScaleGradient - p / 0.02) < 1e-3)
    #expect(abs(result.biasGradient - b / 0.02) < 1e-3)
  }
}
