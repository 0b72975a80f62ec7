import Glibc
import Testing

@testable import WebSocketClient

/// Both ends of a socketpair(2) as streams.
func makeStreamPair() throws -> (SocketStream, SocketStream) {
    let (one, two) = try makeDescriptorPair()
    return (
        SocketStream(try Socket(adopting: one, closingAtEnd: true), wakeUp: try WakeUp()),
        SocketStream(try Socket(adopting: two, closingAtEnd: true), wakeUp: try WakeUp())
    )
}

func makeDescriptorPair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
}

extension ByteStream {
    /// Writes all of it, waiting as long as it takes within the deadline.
    func writeAll(_ bytes: [UInt8], until deadline: Deadline) throws(TransportError) {
        let result = bytes.withUnsafeBytes { buffer -> Result<Void, TransportError> in
            Result { () throws(TransportError) in
                var rest = buffer
                while !rest.isEmpty {
                    switch try write(rest) {
                    case .bytes(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    case .wouldBlock(let interest): try wait(for: interest, until: deadline)
                    case .endOfStream: throw .truncated
                    }
                }
            }
        }
        try result.get()
    }

    /// Reads what one read gives, after waiting for it; `nil` at the end of the stream.
    func readSome(_ limit: Int = 65536, until deadline: Deadline) throws(TransportError) -> [UInt8]?
    {
        var bytes = [UInt8](repeating: 0, count: limit)
        while true {
            let result = bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(TransportError) in try read(into: buffer) }
            }
            switch try result.get() {
            case .bytes(let count): return Array(bytes[..<count])
            case .wouldBlock(let interest): try wait(for: interest, until: deadline)
            case .endOfStream: return nil
            }
        }
    }

    /// Reads exactly so many bytes, fewer only at the end of the stream.
    func readExactly(_ count: Int, until deadline: Deadline) throws(TransportError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let piece = try readSome(count - bytes.count, until: deadline) else { break }
            bytes += piece
        }
        return bytes
    }
}

/// Runs `body` on a thread of its own; `join` returns its result.
final class Background<Value: Sendable>: @unchecked Sendable {
    private let body: @Sendable () throws -> Value
    private var result: Result<Value, any Error>?
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () throws -> Value) {
        self.body = body
        pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let object = Unmanaged<AnyRunnable>.fromOpaque(argument).takeRetainedValue()
                object.run()
                return nil
            },
            Unmanaged.passRetained(AnyRunnable { self.runBody() }).toOpaque()
        )
    }

    private func runBody() {
        result = Result { try body() }
    }

    /// Interrupts the system call the thread is in.
    func signal(_ number: Int32) {
        pthread_kill(thread, number)
    }

    func join() throws -> Value {
        pthread_join(thread, nil)
        guard let result else { preconditionFailure("the thread has run") }
        return try result.get()
    }
}

private final class AnyRunnable {
    let run: () -> Void

    init(_ run: @escaping () -> Void) {
        self.run = run
    }
}

/// The time that `body` takes.
func elapsed(_ body: () throws -> Void) rethrows -> Duration {
    try SuspendingClock().measure(body)
}

extension TransportError {
    var isTimedOut: Bool {
        if case .timedOut = self { true } else { false }
    }
}
