// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT

import PackageDescription

let package = Package(
    name: "hot",
    platforms: [.macOS(.v26)],
    dependencies: [
        // Without its traits: they count allocations with an allocator that has to be fetched.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
        .package(name: "swift-websocket-client", path: "../.."),
    ],
    targets: [
        .executableTarget(
            name: "Hot",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "WebSocketClient", package: "swift-websocket-client"),
                .product(name: "_CWebSocketAccel", package: "swift-websocket-client"),
                .product(name: "_LoopbackServer", package: "swift-websocket-client"),
                .product(name: "_WebSocketAccelPure", package: "swift-websocket-client"),
            ],
            path: ".",  // The plugin looks for targets in a folder called Benchmarks.
            sources: ["Sources"],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    ],
    swiftLanguageModes: [.v6]
)
