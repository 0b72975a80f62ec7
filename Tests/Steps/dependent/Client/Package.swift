// swift-tools-version: 6.2

import PackageDescription

// A client and its tests against the scripted server, with either set of kernels: the trait is passed on.
let package = Package(
    name: "Client",
    platforms: [.macOS(.v26)],
    traits: [
        .default(enabledTraits: ["CKernels"]),
        .trait(name: "CKernels", description: "Use the kernels in C."),
    ],
    dependencies: [
        .package(
            name: "swift-websocket-client",
            path: "../../../..",
            traits: [.trait(name: "CAccel", condition: .when(traits: ["CKernels"]))]
        ),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    ],
    targets: [
        .target(
            name: "PriceFeed",
            dependencies: [
                .product(name: "WebSocketClient", package: "swift-websocket-client")
            ]
        ),
        .target(
            name: "Dashboard",
            dependencies: [
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "WebSocketClient", package: "swift-websocket-client"),
            ]
        ),
        .testTarget(
            name: "PriceFeedTests",
            dependencies: [
                "PriceFeed",
                .product(name: "WebSocketAccel", package: "swift-websocket-client"),
                .product(name: "WebSocketTesting", package: "swift-websocket-client"),
            ]
        ),
        .testTarget(
            name: "DashboardTests",
            dependencies: [
                "Dashboard",
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "WebSocketTesting", package: "swift-websocket-client"),
            ]
        ),
    ]
)
