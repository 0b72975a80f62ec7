import Foundation
import TestSupport
import Testing
import WebSocketClient

@Suite("Replay to websockets", .blocking, .needs(.python))
struct ReplayTests {
    private func numbers(_ url: String, _ options: ConnectOptions) throws -> [[Int]] {
        let socket = try WebSocket.connect(to: url, options: options)
        defer { socket.abort() }
        return try JSONDecoder().decode([[Int]].self, from: Data(socket.receive().bytes))
    }

    @Test(
        "Nothing is lost when the connection is cut at random bytes, and duplicates are counted",
        arguments: [false, true],
        [false, true]
    )
    func cuts(isSecure: Bool, isCompressed: Bool) throws {
        let certificates = try Certificates.shared.get()
        let identity = certificates.server
        let server = try Counterpart.process(running: "recording_server.py") { port, _ in
            ["\(port)"] + (isSecure ? [identity.certificate, identity.key] : [])
        }
        let relay = try FaultyRelay(to: server.port)
        defer { relay.stop() }
        var options = ConnectOptions.interop
        options.compression = isCompressed ? DeflateOptions() : nil
        options.tls.certificateAuthorityFile = certificates.authority.certificate
        let scheme = isSecure ? "wss" : "ws"
        let outcome = try ReplayTrial(cuts: 75, seed: isCompressed ? 7 : 8).run(
            over: relay,
            url: "\(scheme)://127.0.0.1:\(relay.port)/numbers",
            options: options
        )
        #expect(outcome.cuts == 75)
        let received = try numbers(
            "\(scheme)://127.0.0.1:\(server.port)/report/numbers",
            options
        )
        let faults = ReplayTrial.faults(in: received, after: outcome)
        #expect(faults == [], "\(faults.prefix(10))")
        // Otherwise the test has shown nothing.
        #expect(received.count > 30 && outcome.sent > 100 && outcome.status.sentAgain > 0)
    }
}
