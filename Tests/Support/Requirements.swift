import Foundation
package import Testing

/// The programs that `Tests/run setup` installs for tests, besides those that build the package.
package enum Requirement: String, Sendable {
    case danted, microsocks, nginx, openssl, squid, tinyproxy, tmux
    /// Node with Debian's node-ws.
    case node
    /// The environment with the servers that are written in Python.
    case python

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Where Debian's node-ws is.
    package static let nodePath =
        ProcessInfo.processInfo.environment["NODE_PATH"] ?? "/usr/share/nodejs"

    private var isInstalled: Bool {
        switch self {
        case .python:
            FileManager.default.isExecutableFile(
                atPath: Self.root.appendingPathComponent(".build-tools/python/bin/python").path
            )
        case .node:
            (try? findProgram("node")) != nil
                && FileManager.default.fileExists(atPath: "\(Self.nodePath)/ws")
        default: (try? findProgram(rawValue)) != nil
        }
    }

    fileprivate static func missing(of requirements: [Requirement]) -> [Requirement] {
        requirements.filter { !$0.isInstalled }
    }
}

extension Trait where Self == ConditionTrait {
    /// For tests that need another project's program. They are skipped where it is missing, so that
    /// plain `swift test` works; in CI they always run, and fail without it.
    package static func needs(_ requirements: Requirement...) -> Self {
        let missing = Requirement.missing(of: requirements).map(\.rawValue)
        let isDemanded = ProcessInfo.processInfo.environment["CI"] == "true"
        return .enabled(
            if: missing.isEmpty || isDemanded,
            "not installed: \(missing.joined(separator: ", ")) (Tests/run setup installs it)"
        )
    }

    /// For tests that talk to each of the other projects' WebSocket servers.
    package static var needsOtherServers: Self { needs(.python, .node) }
    /// For tests that reach these over TLS.
    package static var needsSecureServer: Self { needs(.python, .node, .nginx, .openssl) }
}
