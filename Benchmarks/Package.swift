// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT

import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let client = Target.Dependency.product(name: "WebSocketClient", package: "swift-websocket-client")
let accel = Target.Dependency.product(name: "WebSocketAccel", package: "swift-websocket-client")
let server = Target.Dependency.product(name: "_LoopbackServer", package: "swift-websocket-client")

let pureKernels = Target.Dependency.product(
    name: "_WebSocketAccelPure",
    package: "swift-websocket-client"
)
let cKernels = Target.Dependency.product(
    name: "_CWebSocketAccel",
    package: "swift-websocket-client"
)

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v26)],
    traits: [
        .trait(name: "CAccel", description: "As in the package that is measured."),
        .default(enabledTraits: ["CAccel"]),
    ],
    dependencies: [
        .package(
            name: "swift-websocket-client",
            path: "..",
            traits: [.trait(name: "CAccel", condition: .when(traits: ["CAccel"]))]
        )
    ],
    targets: [
        // What every client of the comparison does, with this one.
        .executableTarget(
            name: "bench-client",
            dependencies: [client, accel],
            swiftSettings: strict
        ),
        // What many connections and several threads cost.
        .executableTarget(
            name: "bench-growth",
            dependencies: [client],
            swiftSettings: strict
        ),
        // Files through the client to a server in the same process that checks every byte.
        .executableTarget(
            name: "bulk-send",
            dependencies: [client, accel, server],
            swiftSettings: strict
        ),
        // The kernels by themselves, C and Swift in one process, for Kernels/kernels.py.
        .target(name: "Reference", path: "Kernels/Reference"),
        .executableTarget(
            name: "bench-kernels",
            dependencies: ["Reference", pureKernels, cKernels],
            path: "Kernels/Sources",
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
