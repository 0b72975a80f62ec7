import Foundation
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// Masking keys are unpredictable, RFC 6455 §5.3 and §10.3.
///
/// The bounds lie eight standard deviations from the mean and more: chance alone breaks one about
/// once in 10^13 runs.
@Suite("Masking keys", .blocking)
struct MaskingKeyTests {
    private static let count = 1 << 18

    private static func draw() throws -> [UInt32] {
        var supply = MaskingKeys()
        return try (0..<count).map { _ in try supply.next() }
    }

    @Test("A forked process draws keys of its own")
    func fork() throws {
        var supply = MaskingKeys()
        _ = try supply.next()
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let child = try forkProcess()
        if child == 0 {
            var key = (try? supply.next()) ?? 0
            write(ends[1], &key, 4)
            _exit(0)
        }
        close(ends[1])
        var theirs: UInt32 = 0
        #expect(read(ends[0], &theirs, 4) == 4)
        waitpid(child, nil, 0)
        #expect(try supply.next() != theirs)
    }

    @Test("Each of the 32 bits is set half of the time, whatever the one before it was")
    func bits() throws {
        let keys = try Self.draw()
        let mean = Double(Self.count) / 2
        let bound = 8 * (Double(Self.count).squareRoot() / 2)
        for bit in 0..<32 {
            let ones = keys.count { $0 >> bit & 1 == 1 }
            #expect(abs(Double(ones) - mean) < bound, "bit \(bit)")
            let changes = zip(keys, keys.dropFirst()).count { ($0 ^ $1) >> bit & 1 == 1 }
            #expect(abs(Double(changes) - mean) < bound + 1, "bit \(bit) against the next key's")
            let pairs = keys.count { ($0 ^ ($0 << 1 | $0 >> 31)) >> bit & 1 == 1 }
            #expect(abs(Double(pairs) - mean) < bound, "bit \(bit) against its neighbour")
        }
    }

    @Test("Bytes are evenly distributed (chi-square), at each place of the key")
    func bytes() throws {
        let keys = try Self.draw()
        for place in 0..<4 {
            var counts = [Int](repeating: 0, count: 256)
            for key in keys { counts[Int(key >> (8 * place) & 0xFF)] += 1 }
            let expected = Double(Self.count) / 256
            let square = counts.reduce(0) { sum, count in
                let distance = Double(count) - expected
                return sum + distance * distance / expected
            }
            // 255 degrees of freedom: mean 255, standard deviation 22.6.
            #expect((100...470).contains(square), "byte \(place)")
        }
    }

    @Test("A key doesn't predict the next one (serial correlation)")
    func serialCorrelation() throws {
        let keys = try Self.draw()
        for place in 0..<4 {
            let values = keys.map { Double($0 >> (8 * place) & 0xFF) - 127.5 }
            let products = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
            let squares = values.reduce(0) { $0 + $1 * $1 }
            let bound = 8 / Double(Self.count).squareRoot()
            #expect(abs(products / squares) < bound, "byte \(place)")
        }
    }

    @Test("Keys repeat no more often than by chance, across supplies and threads too")
    func repetitions() throws {
        let drawing = (0..<4).map { _ in Background { try Self.draw() } }
        let keys = try drawing.flatMap { try $0.join() }
        // n keys of 2^32 make n²/2^33 pairs: 128, with a standard deviation of 11.3.
        let repetitions = keys.count - Set(keys).count
        #expect((30...240).contains(repetitions))
    }

    @Test(
        "No two frames on the wire have the same key, whatever call, connection or thread sent them"
    )
    func onTheWire() throws {
        let keys = Locked<[UInt32]>([])
        let server = try LoopbackServer { connection in
            let found = try Self.keys(of: connection.stream)
            keys.withLock { $0 += found }
        }
        defer { server.stop() }
        let connecting = (0..<4).map { _ in
            Background {
                let socket = try WebSocket.connect(to: server.url())
                let senders = (0..<3).map { _ in Background { try Self.send(over: socket) } }
                for sender in senders { try sender.join() }
                try socket.sendClose()
                socket.abort()
            }
        }
        for connection in connecting { try connection.join() }
        let frames = 4 * (3 * 100 * 8 + 1)
        #expect(eventually { keys.withLock { $0.count } == frames })
        let found = keys.withLock { $0 }
        // By chance there is one pair in a hundred runs.
        #expect(found.count - Set(found).count < 4)
        #expect(!found.contains(0))
    }

    /// Sends eight frames, each by another call, a hundred times.
    private static func send(over socket: WebSocket) throws {
        let prepared = PreparedMessage(binary: [1, 2, 3])
        for _ in 0..<100 {
            try socket.send("text")
            try socket.send(binary: [UInt8](repeating: 7, count: 200))
            try socket.sendBatch(binary: [[1], [2]])
            try socket.send(frame: Frame(binary: [3]))
            try socket.send(prepared)
            try socket.send(prepared)
            try socket.ping()
        }
    }

    /// The masking keys of all frames up to the end of the stream.
    private static func keys(of stream: any ByteStream) throws -> [UInt32] {
        var keys: [UInt32] = []
        var bytes: [UInt8] = []
        while let piece = try? stream.readSome() {
            bytes += piece
            var start = 0
            while let (header, length) = try bytes[start...].withUnsafeBytes({
                try FrameHeader.decode($0, role: .server)
            }) {
                guard bytes.count - start >= length + header.payloadLength else { break }
                keys.append(try #require(header.maskingKey))
                start += length + header.payloadLength
            }
            bytes.removeFirst(start)
        }
        return keys
    }
}
