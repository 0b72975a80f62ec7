import TestSupport
import Testing
import WebSocketClient

/// Options of websocket-client's `create_connection`, each named in a title.
@Suite(
    "Options of create_connection for messages",
    .blocking,
    .needsOtherServers
)
struct MessageOptionTests {
    private let server = Counterpart.websockets

    @Test("fire_cont_frame: each fragment is delivered as it arrives")
    func fragments() throws {
        let socket = try createConnection(
            server.url("/echo?fragments=1"),
            fireContFrame: true,
            options: .interop
        )
        let text = String(repeating: "in parts ", count: 2000)
        var sawSeveral = false
        for _ in 0..<50 where !sawSeveral {
            try socket.send(text)
            var joined: [UInt8] = []
            var opcode = Opcode.text
            while true {
                let frame = try socket.receiveDataFrame()
                #expect(frame.opcode == opcode)
                joined += frame.payload
                opcode = .continuation
                if frame.isFinal { break }
                sawSeveral = true
            }
            #expect(joined == Array(text.utf8))
        }
        #expect(sawSeveral)
        try socket.close()
    }

    @Test("enable_multithread: always on, so frames of many threads don't mix")
    func manyThreads() throws {
        let socket = try createConnection(server.url(), options: .interop)
        let senders = 4
        let each = 300
        let threads = (0..<senders).map { sender in
            Background {
                for number in 0..<each {
                    let message = TestMessage(
                        sender: sender,
                        number: number,
                        size: 16 + number * 31 % 5000
                    )
                    try socket.send(binary: message.bytes)
                }
            }
        }
        var next = [UInt32](repeating: 0, count: senders)
        for _ in 0..<senders * each {
            guard case .binary(let bytes) = try socket.receive() else { continue }
            let message = try #require(TestMessage(bytes))
            #expect(message.number == next[Int(message.sender)])
            next[Int(message.sender)] += 1
        }
        for thread in threads { try thread.join() }
        #expect(next.allSatisfy { $0 == each })
        try socket.close()
    }

    @Test("skip_utf8_validation: malformed text is an error unless it is on")
    func utf8Validation() throws {
        let url = try server.url("/invalid")
        let strict = try createConnection(url, options: .interop)
        guard case .invalidPayload(offset: 4) = errorThrown(by: { try strict.receive() }) else {
            Issue.record("malformed text was not refused")
            return
        }
        let lenient = try createConnection(url, skipUTF8Validation: true, options: .interop)
        #expect(try lenient.receiveData().payload == [0x63, 0x61, 0x66, 0xE9])
        try lenient.close()
    }

    @Test("get_mask_key: makes the key of every frame")
    func maskingKey() throws {
        let called = Promise<Void>()
        let socket = try createConnection(
            server.url(),
            getMaskKey: {
                called.fulfil()
                return 0x1234_5678
            },
            options: .interop
        )
        try socket.send("masked with a known key")
        #expect(try socket.receive() == .text("masked with a known key"))
        #expect(called.isFulfilled)
        try socket.close()
    }

    @Test("class_: the caller's own class, whose methods are honoured")
    func ownClass() throws {
        final class Loud: WebSocket, @unchecked Sendable {
            override func send(frame: Frame) throws -> Int {
                var frame = frame
                if frame.opcode == .text { frame.payload = Array(frame.text.uppercased().utf8) }
                return try super.send(frame: frame)
            }
        }
        let socket = try createConnection(server.url(), as: Loud.self, options: .interop)
        try socket.send("quiet")
        #expect(try socket.receive() == .text("QUIET"))
        try socket.close()
    }
}
