// swift-tools-version: 6.2

import PackageDescription

// Turns off the default traits, and so gets the Swift kernels.
let package = Package(
    name: "SwiftKernels",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "swift-websocket-client", path: "../../../..", traits: [])
    ],
    targets: [
        .executableTarget(
            name: "SwiftKernels",
            dependencies: [
                .product(name: "WebSocketAccel", package: "swift-websocket-client"),
                .product(name: "WebSocketClient", package: "swift-websocket-client"),
            ],
            path: "Sources"
        )
    ]
)
