// swift-tools-version: 6.2

import PackageDescription

// Says nothing about traits, and so gets the default: the C kernels.
let package = Package(
    name: "Dependent",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "swift-websocket-client", path: "../../../..")
    ],
    targets: [
        .executableTarget(
            name: "Dependent",
            dependencies: [
                .product(name: "WebSocketAccel", package: "swift-websocket-client"),
                .product(name: "WebSocketClient", package: "swift-websocket-client"),
            ],
            path: "Sources"
        )
    ]
)
