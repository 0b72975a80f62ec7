// swift-tools-version: 6.2

import PackageDescription

// Modules with the names and public types of Vapor and Hummingbird, and system libraries with the names
// that many packages give them, beside which this package has to work.
let package = Package(
    name: "StandIns",
    products: [
        .library(name: "Vapor", targets: ["Vapor"]),
        .library(name: "Hummingbird", targets: ["Hummingbird"]),
        .library(name: "WSClient", targets: ["WSClient"]),
    ],
    targets: [
        .target(name: "CZlib"),
        .target(name: "COpenSSL"),
        .target(name: "WebSocketKit", dependencies: ["COpenSSL"]),
        .target(name: "Vapor", dependencies: ["WebSocketKit"]),
        .target(name: "Hummingbird", dependencies: ["CZlib"]),
        .target(name: "WSClient"),
    ]
)
