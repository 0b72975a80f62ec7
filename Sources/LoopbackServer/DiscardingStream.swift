import Synchronization
public import WebSocketClient
import WebSocketProtocol

extension WebSocket {
    /// A connection to nobody: its handshake is answered in memory, and everything it sends is counted
    /// and dropped. It measures what sending costs without a network.
    ///
    /// - Returns: The open connection; it never receives anything. End it with `abort()`.
    /// - Throws: ``WebSocketError`` if the process is out of descriptors.
    public static func discarding() throws -> WebSocket {
        let stream = DiscardingStream()
        let socket = WebSocket()
        try socket.open("ws://localhost/") { _, _ in stream }
        return socket
    }
}

/// Answers the opening handshake, then takes all bytes and gives none.
private final class DiscardingStream: ByteStream, @unchecked Sendable {
    // Safe to send: only the connecting thread uses the handshake's state; after that, only `isEnded`
    // changes.
    private var request = HTTPHeadDecoder<RequestLine>()
    private var answer: [UInt8] = []
    private var isOpen = false
    private let isEnded = Atomic<Bool>(false)

    let descriptor: Int32 = -1
    let isSecure = false

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        if isEnded.load(ordering: .acquiring) { throw .aborted }
        guard !answer.isEmpty else { return .wouldBlock(.read) }
        let count = min(answer.count, buffer.count)
        buffer.copyBytes(from: answer[..<count])
        answer.removeFirst(count)
        return .bytes(count)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        if isEnded.load(ordering: .acquiring) { throw .aborted }
        if !isOpen { try shakeHands(bytes) }
        return .bytes(bytes.count)
    }

    private func shakeHands(_ bytes: UnsafeRawBufferPointer) throws(TransportError) {
        do {
            _ = try request.receive(bytes)
            guard let head = request.head else { return }
            let handshake = try ReceivedHandshake(head)
            answer = handshake.acceptance().encode()
            isOpen = true
        } catch {
            throw .invalidArgument("The request is malformed: \(error)")
        }
    }

    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        if isEnded.load(ordering: .acquiring) { throw .aborted }
        if interest.contains(.write) { return .write }
        // Nothing will ever come.
        guard !answer.isEmpty else { throw .timedOut(nil) }
        return .read
    }

    func nudge() {}

    func finishWriting() {}

    func abort() { isEnded.store(true, ordering: .releasing) }
}
