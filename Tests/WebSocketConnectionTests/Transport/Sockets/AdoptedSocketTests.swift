import Glibc
import LoopbackServer
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("The caller's sockets", .blocking)
struct AdoptedSocketTests {
    private struct Settings: Equatable {
        var flags: Int32
        /// The seconds and microseconds of a `timeval`, whose members an optimised build takes for those
        /// of a module that can't be imported.
        var receiveTimeout = [0, 0]

        init(of descriptor: Int32) {
            flags = fcntl(descriptor, F_GETFL)
            var length = socklen_t(MemoryLayout<timeval>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &receiveTimeout, &length)
        }
    }

    private func isClosed(_ identity: String) -> Bool {
        !Descriptors.open.contains(identity)
    }

    @Test("A duplicate of the socket keeps its settings", arguments: [true, false])
    func settings(isNonBlocking: Bool) throws {
        let (one, two) = try makeDescriptorPair()
        if isNonBlocking { _ = fcntl(one, F_SETFL, O_NONBLOCK) }
        let duplicate = dup(one)
        defer { close(duplicate) }
        let before = Settings(of: duplicate)
        let plan = ConnectPlan(target: .adopted(try Socket(adopting: one)), serverName: "x")
        let stream = try Connector.connect(plan, wakeUp: try WakeUp())
        let peer = SocketStream(try Socket(adopting: two), wakeUp: try WakeUp())
        try stream.writeAll([5])
        #expect(try peer.readSome() == [5])
        try peer.writeAll([6])
        #expect(try stream.readSome() == [6])
        var byte: UInt8 = 0
        // No call blocks, whether or not the descriptor is non-blocking.
        #expect(
            try withUnsafeMutableBytes(of: &byte) { try stream.read(into: $0) }
                == .wouldBlock(.read)
        )
        #expect(
            try withUnsafeMutableBytes(of: &byte) { try stream.readSoon(into: $0) }
                == .wouldBlock(.read)
        )
        #expect(Settings(of: duplicate) == before)
    }

    @Test("A descriptor that isn't a stream socket is refused, and closed")
    func unusable() throws {
        #expect(throws: TransportError.self) { try Socket(adopting: -1) }
        #expect(throws: TransportError.system(call: "getsockopt", .badDescriptor)) {
            try Socket(adopting: 1_000_000)
        }
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        let identity = try #require(Descriptors.identity(of: datagrams))
        #expect(throws: TransportError.self) { try Socket(adopting: datagrams) }
        #expect(isClosed(identity))
    }

    @Test(
        "An attempt that fails before it begins closes the socket",
        arguments: ["http://no.test", "", "ws://[::"]
    )
    func badURL(url: String) throws {
        let (one, two) = try makeDescriptorPair()
        defer { close(two) }
        let identity = try #require(Descriptors.identity(of: one))
        var options = ConnectOptions()
        options.socket = one
        #expect(throws: WebSocketError.self) {
            try WebSocket.connect(to: url, options: options)
        }
        #expect(isClosed(identity))
    }

    @Test("A connected WebSocket closes a socket that it is given, and stays connected")
    func connectedAlready() throws {
        try withSocket { connection in
            while true { try connection.answer(connection.nextPiece()) }
        } client: { socket in
            let (one, two) = try makeDescriptorPair()
            defer { close(two) }
            let identity = try #require(Descriptors.identity(of: one))
            var options = ConnectOptions()
            options.socket = one
            let error = #expect(throws: WebSocketError.self) {
                try socket.connect(to: "ws://x.test", options: options)
            }
            guard case .invalidArgument = error else {
                throw SupportError("got \(String(describing: error))")
            }
            #expect(isClosed(identity))
            #expect(socket.isConnected)
            try socket.close()
        }
    }
}
