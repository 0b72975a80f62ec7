import Foundation
import TestSupport
import Testing
import WebSocketClient

@Suite(
    "Ends of connections with other projects' servers",
    .blocking,
    .needsOtherServers
)
struct ClosingTests {
    @Test(
        "A server's close code and reason arrive",
        arguments: Counterpart.allCases,
        [(1000, ""), (1001, "going away"), (1011, "no"), (3000, "x"), (4001, "schöne Grüße")]
    )
    func codeReceived(server: Counterpart, end: (code: UInt16, reason: String)) throws {
        let reason = try #require(
            end.reason.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
        )
        let url = try server.url("/close?code=\(end.code)&reason=\(reason)")
        let socket = try WebSocket.connect(to: url, options: .interop)
        #expect(try socket.receive() == .text("closing"))
        let error = errorThrown { _ = try socket.receive() }
        guard case .connectionClosed(let closure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(closure.code == CloseCode(rawValue: end.code))
        #expect(closure.reason == end.reason)
        #expect(closure.cause == nil)
        #expect(!socket.isConnected)
        #expect(socket.closeFrame?.reason == end.reason)
    }

    @Test(
        "The client's close code and reason arrive, and the server's answer comes back",
        arguments: Counterpart.allCases,
        [(1000, "done"), (1001, ""), (3999, "x"), (4999, "schöne Grüße")]
    )
    func codeSent(server: Counterpart, end: (code: UInt16, reason: String)) throws {
        let key = UUID().uuidString
        let socket = try WebSocket.connect(
            to: server.url("/recorded?key=\(key)"),
            options: .interop
        )
        let answer = try socket.close(code: CloseCode(rawValue: end.code), reason: end.reason)
        // aiohttp doesn't echo the code: it answers 1000 to all of them.
        let expected = server == .aiohttp ? 1000 : end.code
        #expect(answer?.code == CloseCode(rawValue: expected))
        let witness = try WebSocket.connect(to: server.url("/record?key=\(key)"), options: .interop)
        #expect(try witness.receive() == .text("\(end.code) \(end.reason)"))
        try witness.close()
    }

    @Test(
        "A cut connection is distinguished from a closed one",
        arguments: Counterpart.allCases
    )
    func cut(server: Counterpart) throws {
        let socket = try WebSocket.connect(to: server.url("/cut"), options: .interop)
        // A reset may overtake what was sent before it.
        let error = errorThrown {
            while true {
                let message = try socket.receive()
                #expect(message == .text("cutting"))
            }
        }
        guard case .connectionClosed(let closure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(closure.code == .abnormalClosure)
        #expect(closure.cause != nil)
    }

    @Test(
        "A thread that waits for a message learns that another thread has closed the connection",
        arguments: Counterpart.allCases
    )
    func closedByAnotherThread(server: Counterpart) throws {
        let socket = try WebSocket.connect(to: server.url(), options: .interop)
        let reader = Background { errorThrown { _ = try socket.receive() } }
        pause(.milliseconds(50))
        try socket.close()
        guard case .connectionClosed = try reader.join() else {
            Issue.record("the reader didn't notice")
            return
        }
    }
}
