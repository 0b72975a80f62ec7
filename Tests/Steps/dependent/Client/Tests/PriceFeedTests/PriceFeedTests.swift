import PriceFeed
import Testing
import WebSocketAccel
import WebSocketClient
import WebSocketTesting

@Suite("A client of a price feed")
struct PriceFeedTests {
    @Test("Prices arrive, plain and over TLS", arguments: [false, true])
    func prices(isSecure: Bool) async throws {
        let server = try TestServer(isSecure: isSecure) { connection in
            guard try connection.receive() == .text("subscribe from 0") else { return }
            for price in ["A 1", "B 2"] { try connection.send(price) }
            _ = try connection.receiveClose()
        }
        defer { server.stop() }
        let feed = PriceFeed(url: server.url("/feed"), options: server.options)
        #expect(try await feed.prices(2) == ["A 1", "B 2"])
    }

    @Test("A lost connection is replaced, and the feed goes on")
    func reconnection() async throws {
        let server = try TestServer { connection in
            guard case .text(let request) = try connection.receive() else { return }
            try connection.send(request == "subscribe from 0" ? "A 1" : "B 2")
            if request != "subscribe from 0" { _ = try connection.receiveClose() }
            connection.cut()
        }
        defer { server.stop() }
        let feed = PriceFeed(url: server.url("/feed"), options: server.options)
        #expect(try await feed.prices(2) == ["A 1", "B 2"])
    }

    @Test("A refusal is an error with its status and body")
    func refusal() async throws {
        let server = try TestServer(door: { _ in .refuse(status: 503, body: "closed today") })
        defer { server.stop() }
        let feed = PriceFeed(url: server.url("/feed"), options: server.options)
        let error = await #expect(throws: WebSocketError.self) { try await feed.prices(1) }
        guard case .badStatus(let response) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(response.statusCode == 503)
        #expect(String(decoding: response.body, as: UTF8.self) == "closed today")
    }

    @Test("A server that sends nothing ends in the receive time-out")
    func silence() async throws {
        let server = try TestServer { $0.ignore() }
        defer { server.stop() }
        var options = server.options
        options.timeouts.receive = .milliseconds(50)
        options.timeouts.close = .milliseconds(50)
        let feed = PriceFeed(url: server.url("/feed"), options: options)
        let error = await #expect(throws: WebSocketError.self) { try await feed.prices(1) }
        guard case .timedOut(.receiving) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("The trait chooses the kernels")
    func kernels() {
        #if CKernels
            #expect(Accel.backend.hasPrefix("c-"))
        #else
            #expect(Accel.backend == "swift")
        #endif
    }
}
