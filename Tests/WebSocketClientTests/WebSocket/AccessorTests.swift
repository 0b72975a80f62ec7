import Glibc
import LoopbackServer
import TestSupport
import Testing
import WebSocketClient

@Suite("A socket's accessors", .blocking)
struct AccessorTests {
    @Test("Every property is right before, during and after the connection")
    func accessors() throws {
        let socket = WebSocket()
        #expect(!socket.isConnected)
        #expect(!socket.isSecure)
        #expect(socket.status == nil)
        #expect(socket.headers.isEmpty)
        #expect(socket.handshakeResponse == nil)
        #expect(socket.subprotocol == nil)
        #expect(socket.fileDescriptor == nil)
        #expect(socket.closeFrame == nil)

        let close = ClosePayload(code: CloseCode(rawValue: 4001), reason: "enough")
        try withServer { server in
            _ = try server.nextPiece()
            try server.write(WireFrame(.close, [0x0F, 0xA1] + Array("enough".utf8)))
            server.waitForEnd()
        } run: { server in
            var options = ConnectOptions()
            options.subprotocols = ["chat"]
            options.timeouts.receive = .seconds(20)
            try socket.connect(to: server.url(), options: options)
            #expect(socket.isConnected)
            #expect(!socket.isSecure)
            #expect(socket.status == 101)
            #expect(socket.headers["upgrade"] == "websocket")
            #expect(socket.handshakeResponse?.headers == socket.headers)
            #expect(socket.subprotocol == "chat")
            #expect(socket.options.subprotocols == ["chat"])
            #expect(socket.timeout == .seconds(20))
            #expect(socket.closeFrame == nil)
            let descriptor = try #require(socket.fileDescriptor)
            #expect(fcntl(descriptor, F_GETFD) >= 0)
            #expect(try socket.send([1, 2], opcode: .binary) == 8)
            #expect(failure { try socket.receive() }?.closure?.received == close)
        }

        #expect(!socket.isConnected)
        #expect(socket.fileDescriptor == nil)
        #expect(socket.closeFrame == close)
        #expect(socket.status == 101)
        #expect(socket.subprotocol == "chat")
        #expect(socket.headers["upgrade"] == "websocket")
    }

    @Test(
        "Every default option is set on the socket, and changes apply from the next connection on"
    )
    func defaultSocketOptions() async {
        // The defaults are the process's: one of its own doesn't disturb other tests.
        await #expect(processExitsWith: .success) {
            Leaks.ignoreInThisProcess()
            func value(_ level: Int32, _ name: Int32, of socket: WebSocket) throws -> Int32 {
                var value: Int32 = -1
                var length = socklen_t(MemoryLayout.size(ofValue: value))
                getsockopt(try #require(socket.fileDescriptor), level, name, &value, &length)
                return value
            }
            let tcp = Int32(IPPROTO_TCP)
            let server = try LoopbackServer()
            // The closure is async, where blocking calls are unavailable.
            func connect() throws -> WebSocket { try WebSocket.connect(to: server.url()) }
            let first = try connect()
            SocketOption.defaults = [.noDelay(false), .keepAlive(true), .keepAliveCount(7)]
            let second = try connect()
            #expect(try value(tcp, TCP_NODELAY, of: first) == 1)
            #expect(try value(SOL_SOCKET, SO_KEEPALIVE, of: first) == 1)
            #expect(try value(tcp, TCP_KEEPIDLE, of: first) == 30)
            #expect(try value(tcp, TCP_KEEPINTVL, of: first) == 10)
            #expect(try value(tcp, TCP_KEEPCNT, of: first) == 3)
            #expect(try value(tcp, TCP_NODELAY, of: second) == 0)
            #expect(try value(tcp, TCP_KEEPCNT, of: second) == 7)
        }
    }

    @Test("A jar can be filled, read and emptied by hand")
    func cookieJar() throws {
        let jar = CookieJar()
        let url = try WebSocketURL("ws://shop.example/cart")
        #expect(jar.cookieHeader(for: url) == nil)
        jar.store(["Set-Cookie": "a=1; Domain=shop.example"], from: url)
        jar.store(["Set-Cookie": "b=2; Path=/", "set-cookie": "c=3; Path=/other"], from: url)
        #expect(jar.cookieHeader(for: url) == "a=1; b=2")
        let below = try WebSocketURL("ws://eu.shop.example/cart")
        #expect(jar.cookieHeader(for: below) == "a=1")
        let other = try WebSocketURL("ws://other.example/cart")
        #expect(jar.cookieHeader(for: other) == nil)
        jar.clear()
        #expect(jar.cookieHeader(for: url) == nil)
    }
}
