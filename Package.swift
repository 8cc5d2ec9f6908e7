// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// The map of the house: a device wing that runs models and a host wing that makes them.

import PackageDescription

// Data races and drift are build errors; dependencies are visible in each file.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

// The test library's macros expand to code that strict memory safety warns about.
let testSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

let kernelSettings: [CSetting] = [
  .treatAllWarnings(as: .error)
]

let package = Package(
  name: "sea",
  products: [
    .library(name: "SEARuntime", targets: ["SEARuntime"]),
    .library(name: "SEATrainer", targets: ["SEATrainer"]),
    .executable(name: "sea", targets: ["sea"]),
    .executable(name: "sea-tools", targets: ["sea-tools"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // MARK: - Device wing: libraries

    .target(name: "CSIMD", path: "CSIMD", exclude: ["README.md"], cSettings: kernelSettings),
    .systemLibrary(
      name: "CPNG",
      path: "Sources/CPNG",
      pkgConfig: "libpng",
      providers: [.apt(["libpng-dev"])],
    ),
    .systemLibrary(
      name: "CJPEG",
      path: "Sources/CJPEG",
      pkgConfig: "libjpeg",
      providers: [.apt(["libjpeg62-turbo-dev"])],
    ),
    .systemLibrary(
      name: "CWebP",
      path: "Sources/CWebP",
      pkgConfig: "libwebp",
      providers: [.apt(["libwebp-dev"])],
    ),
    .target(name: "SEATensor", dependencies: ["CSIMD"], swiftSettings: settings),
    .target(name: "SEAFormat", dependencies: ["SEATensor"], swiftSettings: settings),
    .target(name: "SEAText", dependencies: ["SEAFormat", "SEATensor"], swiftSettings: settings),
    .target(name: "CImage", dependencies: ["CPNG", "CJPEG", "CWebP"], path: "Sources/CImage"),
    .target(
      name: "SEAImage",
      dependencies: ["SEATensor", "SEAFormat", "CImage"],
      swiftSettings: settings,
    ),
    .target(
      name: "SEAModel",
      dependencies: ["SEATensor", "SEAFormat", "SEAText", "SEAImage"],
      swiftSettings: settings,
    ),
    .target(
      name: "SEARuntime",
      dependencies: ["SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel"],
      swiftSettings: settings,
    ),

    // MARK: - Host wing: libraries

    .target(
      name: "SEACheckpoint",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      path: "Tools/SEACheckpoint",
      swiftSettings: settings,
    ),
    .target(
      name: "SEAQuantizer",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime", "SEACheckpoint",
      ],
      path: "Tools/SEAQuantizer",
      swiftSettings: settings,
    ),
    .target(
      name: "SEALayers",
      dependencies: ["SEATensor", "SEAModel"],
      path: "Tools/SEALayers",
      exclude: ["README.md"],
      swiftSettings: settings,
    ),
    .target(
      name: "SEADataset",
      dependencies: ["SEATensor", "SEAFormat", "SEAText", "SEAImage"],
      path: "Tools/SEADataset",
      swiftSettings: settings,
    ),
    .target(
      name: "SEALabels",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime", "SEACheckpoint",
        "SEAQuantizer", "SEADataset", "SEADrawing",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      path: "Tools/SEALabels",
      swiftSettings: settings,
    ),
    .target(
      name: "SEATrainer",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime", "SEACheckpoint",
        "SEADataset", "SEALayers", "SEALabels",
      ],
      path: "Tools/SEATrainer",
      swiftSettings: settings,
    ),

    // Scenes drawn from a seed, for training and testing without anyone else's pictures.
    .target(name: "CPNGWriter", dependencies: ["CPNG"], path: "Tools/CPNGWriter"),
    .target(
      name: "SEADrawing",
      dependencies: ["CPNGWriter"],
      path: "Tools/SEADrawing",
      swiftSettings: settings,
    ),
    .target(
      name: "SEAWorld",
      dependencies: [
        "SEATensor", "SEAFormat", "SEADrawing", .product(name: "Crypto", package: "swift-crypto"),
      ],
      path: "Tools/SEAWorld",
      swiftSettings: settings,
    ),
    .target(
      name: "SEAEvaluator",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime", "SEAQuantizer",
        "SEALabels", "SEADrawing",
      ],
      path: "Tools/SEAEvaluator",
      swiftSettings: settings,
    ),

    // MARK: - Commands

    // What both executables share: exit codes, options, terminal, interruption.
    .target(
      name: "SEACommandLine",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings,
    ),
    .executableTarget(
      name: "sea",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime", "SEACommandLine",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings,
    ),
    .executableTarget(
      name: "sea-tools",
      dependencies: [
        "SEATensor", "SEAFormat", "SEAText", "SEAImage", "SEAModel", "SEARuntime", "SEACheckpoint",
        "SEAQuantizer", "SEADataset", "SEALayers", "SEALabels", "SEATrainer", "SEAWorld",
        "SEADrawing", "SEAEvaluator", "SEACommandLine",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Yams", package: "Yams"),
      ],
      path: "Tools/sea-tools",
      swiftSettings: settings,
    ),
    // Times SEALayers on shapes of large models; no part of any product.
    .executableTarget(
      name: "layer-bench",
      dependencies: ["SEALayers", "SEAModel", "SEATensor"],
      path: "Tools/layer-bench",
      swiftSettings: settings,
    ),

    // MARK: - Tests

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: testSettings),
    .testTarget(
      name: "CSIMDTests",
      dependencies: ["CSIMD", "TestSupport"],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEATensorTests",
      dependencies: ["SEATensor", "TestSupport"],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEAFormatTests",
      dependencies: ["SEAFormat", "SEATensor", "TestSupport"],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEATextTests",
      dependencies: ["SEAText", "SEACheckpoint", "SEAFormat", "SEATensor", "TestSupport"],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEAImageTests",
      dependencies: ["SEAImage", "SEAFormat", "SEATensor", "TestSupport"],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEACheckpointTests",
      dependencies: ["SEACheckpoint", "SEAModel", "SEAFormat", "SEATensor", "TestSupport"],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEARuntimeTests",
      dependencies: [
        "SEARuntime", "SEAQuantizer", "SEACheckpoint", "SEAModel", "SEAImage", "SEAText",
        "SEAFormat", "SEATensor", "TestSupport",
      ],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEAQuantizerTests",
      dependencies: [
        "SEAQuantizer", "SEARuntime", "SEACheckpoint", "SEAModel", "SEAImage", "SEAText",
        "SEAFormat", "SEATensor", "TestSupport",
      ],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEAWorldTests",
      dependencies: [
        "SEAWorld", "SEADrawing", "SEAImage", "SEAFormat", "SEATensor", "TestSupport",
      ],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEAEvaluatorTests",
      dependencies: [
        "SEAEvaluator", "SEAWorld", "SEADrawing", "SEALabels", "SEAQuantizer", "SEACheckpoint",
        "SEARuntime", "SEAModel", "SEAImage", "SEAText", "SEAFormat", "SEATensor", "TestSupport",
      ],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEADatasetTests",
      dependencies: [
        "SEADataset", "SEACheckpoint", "SEAText", "SEAFormat", "SEATensor", "TestSupport",
      ],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEATrainerTests",
      dependencies: [
        "SEATrainer", "SEALayers", "SEADataset", "SEACheckpoint", "SEAModel", "SEAImage", "SEAText",
        "SEAFormat", "SEATensor", "TestSupport", "sea-tools",
      ],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEALabelsTests",
      dependencies: [
        "SEALabels", "SEADataset", "SEARuntime", "SEACheckpoint", "SEAModel", "SEAImage", "SEAText",
        "SEAFormat", "SEATensor", "TestSupport",
      ],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "SEALayersTests",
      dependencies: [
        "SEALayers", "SEACheckpoint", "SEAModel", "SEAFormat", "SEATensor", "TestSupport",
      ],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["SEAFormat", "SEATensor", "TestSupport", "sea", "sea-tools"],
      resources: [.copy("Fixtures")],
      swiftSettings: testSettings,
    ),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)
