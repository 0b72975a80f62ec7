// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT

import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let strictC: [CSetting] = [
    .enableWarning("all"),
    .enableWarning("extra"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "swift-websocket-client",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "WebSocketClient", targets: ["WebSocketClient"]),
        .library(name: "WebSocketFoundation", targets: ["WebSocketFoundation"]),
        .library(name: "WebSocketTesting", targets: ["WebSocketTesting"]),
        .library(name: "WebSocketAccel", targets: ["WebSocketAccel"]),
        .executable(name: "wsdump", targets: ["wsdump"]),
        // For this repository's Benchmarks package only: no promise is made about these.
        .library(name: "_WebSocketAccelPure", targets: ["WebSocketAccelPure"]),
        .library(name: "_CWebSocketAccel", targets: ["CWebSocketAccel"]),
        .library(name: "_LoopbackServer", targets: ["LoopbackServer"]),
    ],
    traits: [
        .trait(
            name: "CAccel",
            description: "Mask and validate with the C kernels; without it, with the Swift ones."
        ),
        .default(enabledTraits: ["CAccel"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-http-types", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        // Kernels: they know bytes.
        .target(name: "CWebSocketAccel", path: "CSources/CWebSocketAccel", cSettings: strictC),
        .target(name: "WebSocketAccelPure", swiftSettings: strict),
        .target(
            name: "WebSocketAccel",
            dependencies: [
                .target(name: "CWebSocketAccel", condition: .when(traits: ["CAccel"])),
                "WebSocketAccelPure",
            ],
            swiftSettings: strict
        ),

        // Protocol: frames and messages, never a socket or a clock.
        .systemLibrary(
            name: "CWebSocketZlib",
            path: "CSources/CWebSocketZlib",
            pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]
        ),
        .target(
            name: "WebSocketProtocol",
            dependencies: [
                "WebSocketAccel", "CWebSocketZlib",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),

        // Client: transport, threads, locks, time-outs.
        .systemLibrary(
            name: "CWebSocketOpenSSL",
            path: "CSources/CWebSocketOpenSSL",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .systemLibrary(name: "CWebSocketLinux", path: "CSources/CWebSocketLinux"),
        .target(
            name: "WebSocketClient",
            dependencies: [
                "WebSocketProtocol", "CWebSocketOpenSSL", "CWebSocketLinux",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        // What needs Foundation, which the client doesn't.
        .target(
            name: "WebSocketFoundation",
            dependencies: ["WebSocketClient"],
            swiftSettings: strict
        ),

        // Tools and the other end.
        .executableTarget(
            name: "wsdump",
            dependencies: [
                "WebSocketClient", "LoopbackServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "LoopbackServer",
            dependencies: [
                "WebSocketClient", "WebSocketProtocol",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "WebSocketTesting",
            dependencies: [
                "LoopbackServer", "WebSocketClient", "WebSocketProtocol", "CWebSocketOpenSSL",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "loopback-server",
            dependencies: [
                "LoopbackServer", "WebSocketClient",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),

        // Tests.
        .target(
            name: "AllocationCounter",
            path: "Tests/Programs/allocations/Counter",
            cSettings: strictC
        ),
        .executableTarget(
            name: "count-allocations",
            dependencies: [
                "AllocationCounter", "LoopbackServer", "WebSocketClient", "WebSocketProtocol",
            ],
            path: "Tests/Programs/allocations/Program",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "count-instructions",
            dependencies: ["LoopbackServer", "WebSocketAccel", "WebSocketClient"],
            path: "Tests/Programs/instructions",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "crowd",
            dependencies: ["WebSocketClient"],
            path: "Tests/Programs/crowd",
            swiftSettings: strict
        ),
        // The program of the article MarketFeedRecorder.
        .executableTarget(
            name: "recorder",
            dependencies: ["WebSocketClient"],
            path: "Tests/Programs/recorder",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "attack-memory",
            dependencies: ["LoopbackServer", "TestSupport", "WebSocketClient"],
            path: "Tests/Programs/memory",
            exclude: ["README.md"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "churn-connections",
            dependencies: ["LoopbackServer", "TestSupport", "WebSocketClient"],
            path: "Tests/Programs/churn",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "stress-tasks",
            dependencies: [
                "LoopbackServer", "TestSupport", "WebSocketClient", "WebSocketProtocol",
            ],
            path: "Tests/Programs/tasks",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "replay-messages",
            dependencies: ["LoopbackServer", "TestSupport", "WebSocketClient"],
            path: "Tests/Programs/replay",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "network-faults",
            dependencies: ["LoopbackServer", "TestSupport", "WebSocketClient"],
            path: "Tests/Programs/network",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "measure-control-delay",
            dependencies: ["LoopbackServer", "TestSupport", "WebSocketClient"],
            path: "Tests/Programs/control-delay",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "autobahn-client",
            dependencies: ["WebSocketClient"],
            path: "Tests/Programs/autobahn-client",
            swiftSettings: strict
        ),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "WebSocketClient", "WebSocketProtocol", "CWebSocketZlib", "CWebSocketAccel",
                "WebSocketAccelPure", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Tests/Programs/fuzz-targets",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "fuzz",
            dependencies: ["FuzzTargets"],
            path: "Tests/Programs/fuzz",
            swiftSettings: strict
        ),
        .testTarget(
            name: "FuzzTests",
            dependencies: ["FuzzTargets", "TestSupport"],
            exclude: ["Corpus"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "soak",
            dependencies: [
                "WebSocketAccel", "WebSocketClient", "WebSocketProtocol", "LoopbackServer",
                "TestSupport",
            ],
            path: "Tests/Programs/soak",
            swiftSettings: strict
        ),
        .testTarget(
            name: "WebSocketAccelTests",
            dependencies: ["WebSocketAccel", "WebSocketAccelPure", "CWebSocketAccel"],
            swiftSettings: strict
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "WebSocketClient", "LoopbackServer", "CWebSocketOpenSSL",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Tests/Support",
            swiftSettings: strict
        ),
        .testTarget(
            name: "WebSocketProtocolTests",
            dependencies: [
                "WebSocketProtocol", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),
        // The tests of WebSocketClient: what stands between the kernel's socket and a WebSocket, and what
        // users call. They are two modules so that two cores can compile them.
        .testTarget(
            name: "WebSocketConnectionTests",
            dependencies: [
                "WebSocketClient", "LoopbackServer", "TestSupport", "CWebSocketOpenSSL",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "WebSocketClientTests",
            dependencies: [
                "WebSocketClient", "LoopbackServer", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "WebSocketFoundationTests",
            dependencies: [
                "WebSocketFoundation", "WebSocketClient", "LoopbackServer", "TestSupport",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "WebSocketTestingTests",
            dependencies: [
                "WebSocketTesting", "WebSocketClient", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "WSDumpTests",
            dependencies: [
                "wsdump", "loopback-server", "WebSocketClient", "LoopbackServer", "TestSupport",
                "CWebSocketZlib",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "InteropTests",
            dependencies: ["WebSocketClient", "WebSocketFoundation", "TestSupport", "recorder"],
            exclude: ["Servers"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17
)

// The tests that meet a kernel, and what they need: all that `Tests/run pure` builds.
if Context.environment["ONLY_KERNEL_TESTS"] != nil {
    let kept: Set = [
        "CWebSocketAccel", "WebSocketAccelPure", "WebSocketAccel", "CWebSocketZlib",
        "WebSocketProtocol", "CWebSocketOpenSSL", "CWebSocketLinux", "WebSocketClient",
        "LoopbackServer", "TestSupport",
        "WebSocketAccelTests", "WebSocketProtocolTests", "WebSocketConnectionTests",
        "WebSocketClientTests",
    ]
    package.products = []
    package.targets.removeAll { !kept.contains($0.name) }
    package.targets.first { $0.name == "WebSocketConnectionTests" }?.sources = [
        "Connection/MaskingKeyTests.swift", "Connection/Compression/ParallelCompressionTests.swift",
    ]
    package.targets.first { $0.name == "WebSocketClientTests" }?.sources = [
        "WebSocket/EchoTests.swift", "WebSocket/PieceTests.swift",
        "WebSocket/CompressionTests.swift",
    ]
}
