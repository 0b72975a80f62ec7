import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Many threads on one connection", .blocking)
struct ThreadsTests {
    /// Receives until a text comes, and returns the faults of the messages before it.
    private static func check(_ server: ServerConnection, threads: Int, each: Int) throws
        -> [String]
    {
        var next = [Int](repeating: 0, count: threads)
        var faults: [String] = []
        for _ in 0..<threads * each {
            let (_, payload) = try server.receive()
            guard let message = TestMessage(payload) else {
                faults.append("a damaged message of \(payload.count) bytes")
                continue
            }
            let sender = Int(message.sender)
            if Int(message.number) != next[sender] {
                faults.append("\(sender): \(message.number) instead of \(next[sender])")
            }
            next[sender] = Int(message.number) + 1
        }
        if next != [Int](repeating: each, count: threads) { faults.append("\(next)") }
        return faults
    }

    @Test(
        "Frames arrive whole, none is lost, and each thread's frames keep their order",
        arguments: [false, true]
    )
    func senders(inSubclass: Bool) throws {
        let threads = 8
        let each = 150
        let faults = Promise<[String]>()
        let server = try LoopbackServer { server in
            faults.fulfil { try Self.check(server, threads: threads, each: each) }
            server.waitForEnd()
        }
        defer { server.stop() }
        let kind = inSubclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url())
        let senders = (0..<threads).map { sender in
            Background {
                for number in 0..<each {
                    // Queued messages, one that waits for its turn, and one in several pieces.
                    let size = [20, 126, 60_000, 16, 70_000, 300, 1_000, 400_000][
                        (number + sender) % 8
                    ]
                    let message = TestMessage(sender: sender, number: number, size: size)
                    switch number % 3 {
                    case 0: try socket.send(binary: message.bytes)
                    case 1: try socket.send(frame: Frame(binary: message.bytes))
                    default: try socket.sendBatch(binary: [message.bytes])
                    }
                    if number % 10 == 0 { try socket.ping([UInt8(sender)]) }
                }
            }
        }
        for sender in senders { try sender.join() }
        #expect(try faults.value() == [])
    }

    @Test("Sending and receiving at once lose nothing")
    func fullDuplex() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        let count = 300
        let sizes = [16, 200, 5_000, 70_000, 300_000]
        let sender = Background {
            for number in 0..<count {
                let size = sizes[number % sizes.count]
                try socket.send(binary: TestMessage(sender: 0, number: number, size: size).bytes)
            }
        }
        for number in 0..<count {
            let message = TestMessage(try socket.receive().bytes)
            let size = sizes[number % sizes.count]
            #expect(message == TestMessage(sender: 0, number: number, size: size))
        }
        try sender.join()
    }

    enum Receiving: CaseIterable { case receive, receiveData, subclass, fragments }

    @Test(
        "Each message goes whole to one of the receiving threads",
        arguments: Receiving.allCases
    )
    func receivers(way: Receiving) throws {
        let count = 200
        let server = try LoopbackServer { server in
            for number in 0..<count {
                let message = TestMessage(sender: 1, number: number, size: 16 + number % 50).bytes
                if way == .fragments {
                    try server.write(WireFrame(.binary, message))
                    continue
                }
                let third = message.count / 3
                try server.write(
                    WireFrame(.binary, Array(message[..<third]), isFinal: false),
                    WireFrame(.ping),
                    WireFrame(.continuation, Array(message[third..<2 * third]), isFinal: false),
                    WireFrame(.continuation, Array(message[(2 * third)...]))
                )
            }
            try server.write(WireFrame(.close, [3, 0xE8]))
            _ = try server.receiveClose()
        }
        defer { server.stop() }
        var options = ConnectOptions()
        options.deliversFragments = way == .fragments
        let kind = way == .subclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url(), options: options)
        let receivers = (0..<4).map { _ in
            Background {
                var numbers: [Int] = []
                let error = failure {
                    while true {
                        let bytes =
                            way == .receive || way == .subclass
                            ? try socket.receive().bytes : try socket.receiveData().payload
                        numbers.append(TestMessage(bytes).map { Int($0.number) } ?? -1)
                    }
                }
                guard error?.closure?.code == .normalClosure else {
                    throw SupportError(String(describing: error))
                }
                return numbers
            }
        }
        let numbers = try receivers.map { try $0.join() }
        for numbers in numbers { #expect(numbers == numbers.sorted(), "in order within a thread") }
        #expect(numbers.flatMap(\.self).sorted() == Array(0..<count))
    }

    @Test("A control frame overtakes waiting messages, but not the one under way")
    func overtaking() throws {
        let isUnderWay = Promise<Void>()
        let go = Promise<Void>()
        let order = Promise<[Opcode]>()
        let size = 6 << 20
        try withSocket { server in
            var opcodes = [try server.nextPiece().opcode]
            isUnderWay.fulfil()
            try go.value()
            while opcodes.count < 5 {
                let piece = try server.nextPiece()
                if piece.startsFrame { opcodes.append(piece.opcode) }
            }
            order.fulfil(opcodes)
            server.waitForEnd()
        } client: { socket in
            let message = [UInt8](repeating: 1, count: size)
            let bulk = (0..<4).map { _ in Background { try socket.send(binary: message) } }
            // One message is under way, three wait for their turn, or will.
            try isUnderWay.value()
            let ping = Background { try socket.ping("overtakes") }
            while socket.connection?.sender.hasUnsentBytes == false { pause(.milliseconds(1)) }
            go.fulfil()
            try ping.join()
            for thread in bulk { _ = try thread.join() }
            let opcodes = try order.value()
            #expect(opcodes == [.binary, .ping, .binary, .binary, .binary])
        }
    }

    @Test("A ping is answered between the messages of a batch under way")
    func pongInBatch() throws {
        let position = Promise<Void>()
        try withSocket { server in
            for _ in 0..<10 { _ = try server.nextPiece() }
            try server.write(WireFrame(.ping, [7]))
            while try server.nextPiece().opcode != .pong {}
            position.fulfil()
            server.waitForEnd()
        } client: { socket in
            let receiver = Background { failure { try socket.receive() } }
            try socket.withBatch { batch in
                // Until the pong has come, which the receiving thread may take a while to see.
                let limit = Deadline.ample
                while !position.isFulfilled, !limit.isPast {
                    try batch.send(binary: [UInt8](repeating: 7, count: 30_000))
                }
                #expect(position.isFulfilled)
            }
            socket.abort()
            _ = try receiver.join()
        }
    }

    @Test("A large message gets its turn among threads that send small ones without a pause")
    func fairness() throws {
        let isDone = Promise<Void>()
        try withSocket { server in
            while true { _ = try server.nextPiece() }
        } client: { socket in
            let crowd = (0..<6).map { _ in
                Background {
                    var worst = Duration.zero
                    while !isDone.isFulfilled {
                        worst = try max(worst, elapsed { try socket.send(binary: [1, 2, 3]) })
                    }
                    return worst
                }
            }
            let large = [UInt8](repeating: 1, count: 100_000)
            var worst = Duration.zero
            for _ in 0..<20 { worst = try max(worst, elapsed { try socket.send(binary: large) }) }
            isDone.fulfil()
            #expect(worst < .ample)
            // Nor does any thread write for the others forever.
            for thread in crowd {
                let worst = try thread.join()
                #expect(worst < .ample)
            }
        }
    }
}
