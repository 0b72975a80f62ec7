import Foundation
import TestSupport
import Testing
import WebSocketClient

/// Another project's server. Each is started once for all tests, and serves the paths in
/// Servers/README.md.
enum Counterpart: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case websockets, aiohttp, ws

    private static let websocketsServer = Result {
        try process(running: "websockets_server.py") { port, folder in
            ["\(port)", "\(folder.path)/socket"]
        }
    }
    private static let aiohttpServer = Result {
        try process(running: "aiohttp_server.py") { port, _ in ["\(port)"] }
    }
    private static let wsServer = Result {
        try ServerProcess("node", environment: ["NODE_PATH": Requirement.nodePath]) { port, _ in
            [Self.script("ws_server.js"), "\(port)"]
        }
    }

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// Starts a server that is written in Python.
    static func process(
        running script: String,
        _ arguments: (UInt16, TemporaryFolder) throws -> [String]
    ) throws -> ServerProcess {
        try ServerProcess(python()) { port, folder in
            [Self.script(script)] + (try arguments(port, folder))
        }
    }

    private static func script(_ name: String) -> String {
        folder.appendingPathComponent("Servers/\(name)").path
    }

    /// The environment with the servers' packages, which Tests/run setup makes.
    private static func python() throws -> String {
        let package = folder.deletingLastPathComponent().deletingLastPathComponent()
        let file = package.appendingPathComponent(".build-tools/python/bin/python").path
        guard FileManager.default.isExecutableFile(atPath: file) else {
            throw SupportError("Python's servers are not installed; Tests/run setup installs them")
        }
        return file
    }

    var port: UInt16 {
        get throws {
            switch self {
            case .websockets: try Self.websocketsServer.get().port
            case .aiohttp: try Self.aiohttpServer.get().port
            case .ws: try Self.wsServer.get().port
            }
        }
    }

    /// The Unix socket that websockets listens on as well.
    static var unixSocketPath: String {
        get throws { try websocketsServer.get().folder.path + "/socket" }
    }

    /// The server's authority, such as `127.0.0.1:8080`.
    var authority: String { get throws { "127.0.0.1:\(try port)" } }

    func url(_ path: String = "/echo") throws -> String { "ws://\(try authority)\(path)" }

    var testDescription: String { rawValue }
}

extension ConnectOptions {
    /// For servers that answer at once, or have failed; independent of other tests.
    static var interop: ConnectOptions {
        var options = ConnectOptions(timeout: .ample)
        options.cookieJar = nil
        options.proxy = .none
        return options
    }
}

/// The error that `body` throws, which the test then looks at.
func errorThrown(by body: () throws -> some Any) -> WebSocketError? {
    do {
        _ = try body()
        Issue.record("nothing was thrown")
    } catch let error as WebSocketError {
        return error
    } catch {
        Issue.record("something else was thrown: \(error)")
    }
    return nil
}
