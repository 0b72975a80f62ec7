// swift-tools-version: 6.2

import PackageDescription

// Doesn't set traits, and so gets the default: the C kernels.
let package = Package(
    name: "Loops",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "swift-websocket-client", path: "../../../.."),
        .package(path: "../StandIns"),
    ],
    targets: [
        .executableTarget(
            name: "Loops",
            dependencies: [
                .product(name: "WebSocketAccel", package: "swift-websocket-client"),
                .product(name: "WebSocketClient", package: "swift-websocket-client"),
                .product(name: "_LoopbackServer", package: "swift-websocket-client"),
            ]
        ),
        .executableTarget(
            name: "Beside",
            dependencies: [
                .product(name: "Vapor", package: "StandIns"),
                .product(name: "Hummingbird", package: "StandIns"),
                .product(name: "WSClient", package: "StandIns"),
                .product(name: "WebSocketClient", package: "swift-websocket-client"),
            ]
        ),
    ]
)
