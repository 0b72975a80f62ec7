import TestSupport
import Testing
import WebSocketClient

@Suite(
    "Messages to and from other projects' servers",
    .blocking,
    .needsOtherServers
)
struct MessageTests {
    @Test("Text and bytes of all lengths come back equal", arguments: Counterpart.allCases)
    func echo(server: Counterpart) throws {
        let socket = try WebSocket.connect(to: server.url(), options: .interop)
        for count in [0, 1, 125, 126, 127, 65535, 65536, 300_000] {
            let text = String(repeating: "é", count: count / 2) + (count % 2 == 1 ? "x" : "")
            try socket.send(text)
            #expect(try socket.receive() == .text(text))
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            try socket.send(binary: bytes)
            #expect(try socket.receive() == .binary(bytes))
        }
        try socket.close()
    }

    @Test("Corked messages come back equal and in order", arguments: Counterpart.allCases)
    func corked(server: Counterpart) throws {
        var options = ConnectOptions.interop
        options.corking = .upTo()
        let socket = try WebSocket.connect(to: server.url(), options: options)
        let count = 2_000
        var last = try socket.flush()
        for number in 0..<count { last = try socket.sendWithReceipt("message \(number)") }
        for number in 0..<count {
            #expect(try socket.receive() == .text("message \(number)"))
        }
        #expect(last <= socket.acknowledged, "answered messages have been acknowledged")
        try socket.close()
    }

    @Test("A message of 16 MiB comes back equal", arguments: Counterpart.allCases)
    func large(server: Counterpart) throws {
        let bytes = [UInt8](unsafeUninitializedCapacity: 16 << 20) { buffer, count in
            var word: UInt64 = 1
            for index in buffer.indices {
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                buffer[index] = UInt8(truncatingIfNeeded: word >> 40)
            }
            count = buffer.count
        }
        let socket = try WebSocket.connect(to: server.url(), options: .interop)
        try socket.send(binary: bytes)
        let received = try socket.receive()
        #expect(received == .binary(bytes), "16 MiB differ")
        try socket.close()
    }

    @Test("Fragments arrive as one message", arguments: Counterpart.allCases)
    func fragmentsSent(server: Counterpart) throws {
        let socket = try WebSocket.connect(to: server.url(), options: .interop)
        try socket.send(fragments: [[0x61], [], [0x62, 0x63], []], as: .text)
        #expect(try socket.receive() == .text("abc"))
        try socket.send(frame: Frame(text: "split by ", isFinal: false))
        try socket.ping("between")
        try socket.send(frame: Frame(opcode: .continuation, payload: Array("hand".utf8)))
        #expect(try socket.receive() == .text("split by hand"))
        try socket.close()
    }

    @Test("A server's fragments are joined", arguments: [Counterpart.websockets, .ws])
    func fragmentsReceived(server: Counterpart) throws {
        let url = try server.url("/echo?fragments=1")
        let socket = try WebSocket.connect(to: url, options: .interop)
        let text = String(repeating: "naïve café 🙂 ", count: 500)
        for _ in 0..<20 {
            try socket.send(text)
            #expect(try socket.receive() == .text(text))
        }
        try socket.close()
    }

    @Test("A batch arrives whole and in order", arguments: Counterpart.allCases)
    func batch(server: Counterpart) throws {
        let socket = try WebSocket.connect(to: server.url(), options: .interop)
        let texts = (0..<2000).map { String(repeating: "\($0) ", count: $0 % 50) }
        let reader = Background { try texts.map { _ in try socket.receiveText() } }
        #expect(try socket.sendBatch(texts) == texts.count)
        #expect(try reader.join() == texts)
        try socket.close()
    }

    @Test("Pings of both ends are answered", arguments: Counterpart.allCases)
    func pings(server: Counterpart) throws {
        let socket = try WebSocket.connect(to: server.url("/ping?payload=hi"), options: .interop)
        #expect(try socket.receive() == .text("pong hi"))
        try socket.ping("are you there?")
        let pong = try socket.receiveData(controlFrames: true)
        #expect(pong.opcode == .pong)
        #expect(pong.payload == Array("are you there?".utf8))
        try socket.close()
    }
}
