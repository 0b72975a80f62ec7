import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// Other threads use an app's socket while a dispatcher runs the app.
@Suite("An app's socket in other threads", .blocking, .serialized)
struct SharedReceivingTests {
    @Test("Closing it from another thread at any moment ends the app")
    func close() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        for _ in 0..<20 {
            let closer = Promise<Background<Void>>()
            let app = WebSocketApp(
                url: server.url(),
                onOpen: { app in
                    let socket = try #require(app.socket)
                    closer.fulfil(Background { _ = try socket.close() })
                }
            )
            _ = try app.runForever()
            try closer.value().join()
        }
    }

    @Test("Every message goes either to the other thread or to the app, and none is left")
    func receive() throws {
        let rounds = 20
        let each = 3
        let server = try LoopbackServer { server in
            for _ in 0..<rounds {
                _ = try server.receive()
                // In one segment, so that one read gets all of them.
                try server.write(
                    [WireFrame](repeating: WireFrame(.text, text: "x"), count: each).bytes
                )
            }
            while true { _ = try server.receive() }
        }
        defer { server.stop() }
        let inApp = Locked(0)
        let other = Promise<Background<Int>>()
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in
                let socket = try #require(app.socket)
                other.fulfil(
                    Background {
                        var count = 0
                        for round in 1...rounds {
                            try socket.send("go")
                            socket.timeout = .milliseconds(200)
                            if failure({ try socket.receive() }) == nil { count += 1 }
                            let total = round * each
                            guard eventually({ inApp.withLock { $0 } + count == total }) else {
                                break
                            }
                        }
                        app.close()
                        return count
                    }
                )
            },
            onMessage: { _, _ in inApp.withLock { $0 += 1 } }
        )
        // The callback blocks the other thread, and that thread the app.
        defer { app.onOpen = nil }
        _ = try app.runForever()
        let count = try other.value().join()
        #expect(inApp.withLock { $0 } + count == rounds * each)
    }

    @Test("An abort by another thread that holds the turn is noticed at once")
    func abort() throws {
        let server = try LoopbackServer { server in
            _ = try server.receive()
            try server.write(WireFrame(.text, text: "x"))
            server.waitForEnd()
        }
        defer { server.stop() }
        let isOver = Promise<Void>()
        let other = Promise<Background<Void>>()
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in
                let socket = try #require(app.socket)
                let isInside = Promise<Void>()
                other.fulfil(
                    Background {
                        try socket.forEachMessage { _, _ in
                            isInside.fulfil()
                            socket.abort()
                            // The turn stays taken until the app has ended.
                            try isOver.value(within: .seconds(60))
                            return false
                        }
                    }
                )
                // Keeps the app busy until the other thread has the turn and the message.
                try socket.send("go")
                try isInside.value()
            }
        )
        _ = try app.runForever()
        isOver.fulfil()
        try other.value().join()
    }
}
