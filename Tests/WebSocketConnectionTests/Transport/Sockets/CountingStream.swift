import Synchronization

@testable import WebSocketClient

/// Counts the reads from another stream, and writes to it in pieces.
final class CountingStream: ByteStream {
    private let lower: any ByteStream
    private let longestWrite: Int
    let reads = Atomic<Int>(0)

    init(_ lower: any ByteStream, longestWrite: Int = .max) {
        self.lower = lower
        self.longestWrite = longestWrite
    }

    var descriptor: Int32 { lower.descriptor }
    var isSecure: Bool { lower.isSecure }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        reads.add(1, ordering: .relaxed)
        return try lower.read(into: buffer)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        try lower.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(longestWrite)))
    }

    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        try lower.wait(for: interest, until: deadline)
    }

    func nudge() { lower.nudge() }
    func finishWriting() { lower.finishWriting() }
    func abort() { lower.abort() }
}
