import Foundation
package import Testing

extension Trait where Self == ConditionTrait {
    /// For suites whose other end are servers that `Tests/run setup` installs: plain `swift test` works
    /// without them. In CI they run in any case, and fail if a server is missing.
    package static var needsInstalledServers: Self {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let isInstalled = FileManager.default.fileExists(
            atPath: root.appendingPathComponent(".build-tools/python").path
        )
        let isDemanded = ProcessInfo.processInfo.environment["CI"] == "true"
        return .enabled(if: isInstalled || isDemanded, "Tests/run setup installs the servers")
    }
}
