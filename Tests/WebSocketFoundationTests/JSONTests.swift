import Foundation
import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketFoundation

@Suite("Values as JSON", .blocking)
struct JSONTests {
    private struct Point: Codable, Equatable {
        var x: Int
        var name: String
    }

    @Test("A value that was sent comes back, in tasks")
    func tasks() async throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url())
        let point = Point(x: 3, name: "grün")
        try await socket.send(json: point)
        #expect(try await socket.receive(as: Point.self) == point)
        try await socket.send(json: [1, 2])
        await #expect(throws: DecodingError.self) { try await socket.receive(as: Point.self) }
        try await socket.send(json: point)
        #expect(try await socket.receive(as: Point.self) == point)
        try await socket.close()
    }

    @Test("A value that was sent comes back, on a thread")
    func thread() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        let point = Point(x: -1, name: "")
        try socket.send(json: point)
        #expect(try socket.receive(as: Point.self) == point)
        #expect(throws: EncodingError.self) { try socket.send(json: Double.nan) }
        try socket.send("[]")
        #expect(try socket.receive(as: [Int].self) == [])
        try socket.close()
    }
}
