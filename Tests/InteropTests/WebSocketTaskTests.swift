import Foundation
import Synchronization
import TestSupport
import Testing
import WebSocketClient
import WebSocketFoundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@Suite("Tasks in URLSession's shape with other projects' servers", .blocking, .needsOtherServers)
struct WebSocketTaskTests {
    private func session(_ configuration: URLSessionConfiguration = .ephemeral) -> WebSocketSession
    {
        WebSocketSession(configuration: configuration, options: .interop)
    }

    private func url(_ server: Counterpart, _ path: String) throws -> URL {
        try #require(URL(string: server.url(path)))
    }

    @Test("Messages are echoed and pings answered", arguments: Counterpart.allCases)
    func echo(server: Counterpart) async throws {
        let task = session().webSocketTask(with: try url(server, "/echo"))
        task.resume()
        let pong = Promise<String>()
        task.sendPing { pong.fulfil("\($0 as Any)") }
        for message in [WebSocketTask.Message.string("grün"), .data(Data([0, 255]))] {
            try await task.send(message)
            #expect(try await task.receive() == message)
        }
        #expect(try pong.value(within: .ample) == "nil")
        task.cancel(with: .normalClosure, reason: Data("done".utf8))
    }

    @Test("A server's close code and reason arrive", arguments: Counterpart.allCases)
    func closed(server: Counterpart) async throws {
        let task = session().webSocketTask(with: try url(server, "/close?code=4001&reason=bye"))
        task.resume()
        #expect(try await task.receive() == .string("closing"))
        await #expect(throws: POSIXError.self) { try await task.receive() }
        #expect(task.closeCode == .other(4001))
        #expect(task.closeReason == Data("bye".utf8))
    }

    @Test("The code and reason of cancel(with:reason:) arrive", arguments: Counterpart.allCases)
    func cancelled(server: Counterpart) async throws {
        let key = UUID().uuidString
        let task = session().webSocketTask(with: try url(server, "/recorded?key=\(key)"))
        task.resume()
        try await task.send(.string("x"))
        _ = try await task.receive()
        task.cancel(with: .goingAway, reason: Data("bye".utf8))
        let record = session().webSocketTask(with: try url(server, "/record?key=\(key)"))
        record.resume()
        #expect(try await record.receive() == .string("1001 bye"))
        record.cancel()
    }

    @Test("A server's cookies go into the storage, and back to it", arguments: Counterpart.allCases)
    func cookies(server: Counterpart) async throws {
        let configuration = URLSessionConfiguration.ephemeral
        let session = session(configuration)
        let first = session.webSocketTask(with: try url(server, "/cookie"))
        first.resume()
        try await first.send(.string("x"))
        _ = try await first.receive()
        first.cancel()
        let second = session.webSocketTask(with: try url(server, "/headers"))
        second.resume()
        guard case .string(let fields) = try await second.receive() else {
            Issue.record("no text came")
            return
        }
        // Not the one for another path.
        #expect(fields.contains("ookie: session=abc123"), "\(fields)")
        #expect(!fields.contains("narrow"), "\(fields)")
        second.cancel()
    }
}
