import TestSupport
import WebSocketClient

/// TLS records behind the handshake, from a server that has the keys and from somebody who hasn't: what is
/// delivered was sent, in order, however the records are cut, and each read does one read's work.
enum RecordFuzz {
    static func run(_ input: inout Input) throws(Finding) {
        let sizes = input.pieceSizes()
        let script = RecordScript(&input)
        let whole = try outcome(script, .whole)
        let split = try outcome(script, sizes)
        try require(whole == split, "\(whole) at once, \(split) in pieces")
    }

    private struct Outcome: Equatable {
        var data: [UInt8]
        var end: End
    }

    private enum End: Equatable {
        case closed, truncated
        case failed(TLSError)
    }

    private static func outcome(
        _ script: RecordScript,
        _ sizes: PieceSizes
    ) throws(Finding) -> Outcome {
        var (stream, server, sealer) = try connect()
        let (records, sent) = script.records(&sealer)
        let pieces = sizes.pieces(of: records)
        server.send(pieces)
        // A read of the stream below brings 8 KiB at most.
        let reads = records.count / 8192 + pieces.count
        let outcome = try read(stream, calls: 2 * (reads + sent.count) + 8)
        try require(sent.starts(with: outcome.data), "data that nobody has sent")
        return outcome
    }

    private static func connect() throws(Finding)
        -> (stream: any ByteStream, server: MemoryServer, sealer: TLSRecordSealer)
    {
        do {
            let server = try MemoryServer()
            var plan = ConnectPlan(target: .host("server.test", port: 1), serverName: "server.test")
            plan.tls = TLSOptions(verification: .none)
            plan.tls?.resumesSessions = false
            let stream = try Connector.complete(plan, over: server, wakeUp: try WakeUp())
            return (stream, server, try server.engine.makeSealer())
        } catch {
            throw Finding(description: "no handshake: \(error)")
        }
    }

    /// Reads to the end, in at most `calls` reads.
    private static func read(
        _ stream: any ByteStream,
        calls: Int
    ) throws(Finding) -> Outcome {
        var data: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 512)
        for _ in 0..<calls {
            let result = room.withUnsafeMutableBytes { buffer in
                Result { () throws(TransportError) in try stream.read(into: buffer) }
            }
            switch result {
            case .success(.bytes(let count)): data += room[..<count]
            case .success(.wouldBlock): break
            case .success(.endOfStream): return Outcome(data: data, end: .closed)
            case .failure(.truncated): return Outcome(data: data, end: .truncated)
            case .failure(.tls(let failure)):
                try requireEscaped(failure.description)
                return Outcome(data: data, end: .failed(failure))
            case .failure(let error):
                throw Finding(description: "not a failure of TLS: \(error)")
            }
        }
        throw Finding(description: "no end after \(calls) reads, \(data.count) bytes")
    }
}

/// What a server sends once there are keys.
private struct RecordScript {
    private enum Step {
        case record(type: UInt8, content: [UInt8])
        case ticket
        case keyUpdate(asksForOne: Bool)
        /// Bytes that no key has made.
        case bare([UInt8])
        case repetition
    }

    private var steps: [Step] = []

    init(_ input: inout Input) {
        while !input.isEmpty {
            let choice = input.byte()
            let count = Int(choice >> 3)
            switch choice & 7 {
            case 0: steps.append(.record(type: 23, content: input.bytes(count)))
            case 1: steps.append(.record(type: 22, content: input.bytes(count)))
            case 2: steps.append(.record(type: 21, content: input.bytes(count & 3)))
            case 3: steps.append(.record(type: input.byte(), content: input.bytes(count)))
            case 4: steps += repeatElement(.ticket, count: count)
            case 5: steps.append(.keyUpdate(asksForOne: count & 1 == 1))
            case 6: steps.append(.bare(input.bytes(count)))
            default: steps.append(.repetition)
            }
        }
    }

    /// The records, and the data in them that may be delivered: none behind a byte without a key.
    func records(_ sealer: inout TLSRecordSealer) -> (bytes: [UInt8], data: [UInt8]) {
        var (bytes, data): ([UInt8], [UInt8]) = ([], [])
        var last: [UInt8] = []
        var isSound = true
        for step in steps {
            switch step {
            case .record(let type, let content):
                last = sealer.seal(type, content)
                // Zeros at the end of a record are padding, so its type is what stands before them.
                if isSound, type == 23 { data += content }
                if isSound, type == 0, let typed = content.lastIndex(where: { $0 != 0 }),
                    content[typed] == 23
                {
                    data += content[..<typed]
                }
            case .ticket: last = sealer.sealTicket()
            case .keyUpdate(let asksForOne): last = sealer.sealKeyUpdate(asksForOne: asksForOne)
            case .bare(let some):
                last = some
                if !some.isEmpty { isSound = false }
            case .repetition: if !last.isEmpty { isSound = false }
            }
            bytes += last
        }
        return (bytes, data)
    }
}

/// A TLS server behind a stream in memory, which sends a script once there are keys.
private final class MemoryServer: ByteStream, @unchecked Sendable {
    // Safe to send: it is used by one thread.
    let engine: TLSMemoryEngine
    private var inbound: [ArraySlice<UInt8>] = []

    init() throws {
        engine = TLSMemoryEngine(try Certificates.shared.get(), isSealed: true)
    }

    /// Sends these, each for a read of its own, and then the end.
    func send(_ pieces: [ArraySlice<UInt8>]) { inbound = pieces.reversed() }

    let descriptor: Int32 = -1
    let isSecure = false

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        guard let piece = inbound.popLast() else { return .endOfStream }
        let part = piece.prefix(buffer.count)
        buffer.copyBytes(from: part)
        if part.count < piece.count { inbound.append(piece.dropFirst(part.count)) }
        return .bytes(part.count)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Transfer {
        // Behind the handshake, nobody reads what the client has to say.
        if !engine.isOpen {
            engine.receive(Array(bytes))
            engine.shakeHands()
            let output = engine.takeOutput()
            if !output.isEmpty { inbound = [output[...]] }
        }
        return .bytes(bytes.count)
    }

    func wait(for interest: Interest, until deadline: Deadline) -> Interest { interest }

    func nudge() {}
    func finishWriting() {}
    func abort() {}
}
