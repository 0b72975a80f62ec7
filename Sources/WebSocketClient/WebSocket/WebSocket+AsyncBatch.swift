import WebSocketProtocol

/// Messages that go out together; lent by the async `WebSocket.withBatch`.
///
/// They are masked into one buffer, which is sent whenever it is full (256 KiB) and at the end of the
/// batch; the task sleeps while the peer doesn't read. A larger message is sent from its own memory,
/// after those before it.
public struct AsyncBatch: ~Copyable {
    private let socket: WebSocket
    /// `nil` for a subclass, which sees each message, and if the socket isn't connected.
    private var encoded: EncodedMessages?
    /// The messages that are to be compressed, or seen by a subclass: the payloads, one behind the other.
    /// They come after the encoded ones; while there are any, all others join them.
    private var payloads: [UInt8] = []
    private var collected: [(opcode: Opcode, end: Int)] = []
    /// How many messages the connection has accepted: it sends them in any case.
    fileprivate private(set) var sentCount = 0

    private static let flushThreshold = 64 << 10
    /// For messages of this size or more, copying costs more than the system call that it saves.
    private static let collectingLimit = 16 << 10

    fileprivate init(socket: WebSocket) {
        self.socket = socket
        if !socket.isSubclass, let (connection, _) = try? socket.openConnection() {
            encoded = EncodedMessages(for: connection)
        }
    }

    /// How many messages the batch has taken so far.
    public var count: Int { sentCount + encodedCount + collected.count }

    /// Adds a text message; sleeps only when the batch is full and the peer doesn't read.
    ///
    /// - Parameter text: The message.
    /// - Throws: As `send(_:)`.
    public mutating func send(_ text: String) async throws {
        if try !encode(text) { try await add(text) }
    }

    /// Adds a binary message; otherwise as ``send(_:)-(String)``.
    ///
    /// - Parameter bytes: The message.
    /// - Throws: As `send(_:)`.
    public mutating func send(binary bytes: [UInt8]) async throws {
        if try !encode(bytes) { try await add(bytes) }
    }

    /// Adds a message; otherwise as ``send(_:)-(String)``.
    ///
    /// - Parameter message: The message.
    /// - Throws: As `send(_:)`.
    public mutating func send(_ message: Message) async throws {
        switch message {
        case .text(let text): if try !encode(text) { try await add(text) }
        case .binary(let bytes): if try !encode(bytes) { try await add(bytes) }
        }
    }

    /// Sends the messages collected so far.
    ///
    /// - Throws: As `send(_:)`.
    public mutating func flush() async throws {
        if encodedCount > 0 { try await sendEncoded() }
        if !collected.isEmpty { try await sendCollected() }
    }

    fileprivate mutating func finish() { encoded?.finish() }

    private var encodedCount: Int {
        switch encoded {
        case .some(let encoded): encoded.count
        case .none: 0
        }
    }

    private mutating func encode(_ text: String) throws -> Bool {
        var text = text
        return try text.withUTF8 { try encode(.text, UnsafeRawBufferPointer($0)) }
    }

    private mutating func encode(_ bytes: [UInt8]) throws -> Bool {
        try bytes.withUnsafeBytes { try encode(.binary, $0) }
    }

    /// Encodes a message; false if that isn't possible now, or at all.
    @inline(__always)
    private mutating func encode(
        _ opcode: Opcode,
        _ payload: UnsafeRawBufferPointer
    ) throws -> Bool {
        guard collected.isEmpty else { return false }
        return try encoded?.append(OutgoingFrame(opcode: opcode, payload: payload)) ?? false
    }

    private mutating func add(_ text: String) async throws {
        var text = text
        try await add(.text) { body in text.withUTF8 { body(UnsafeRawBufferPointer($0)) } }
    }

    private mutating func add(_ bytes: [UInt8]) async throws {
        try await add(.binary) { body in bytes.withUnsafeBytes { body($0) } }
    }

    /// Adds a message for which the buffer has no room, or which isn't for the buffer.
    private mutating func add(
        _ opcode: Opcode,
        payload: (_ body: (UnsafeRawBufferPointer) -> Void) -> Void
    ) async throws {
        if encodedCount > 0 {
            try await sendEncoded()
            var isEncoded = Result<Bool, any Error>.success(false)
            payload { bytes in isEncoded = Result { try encode(opcode, bytes) } }
            if try isEncoded.get() { return }
        }
        var size = 0
        payload { size = $0.count }
        guard socket.isSubclass || size < Self.collectingLimit else {
            try await flush()
            return try await sendAtOnce(opcode, payload: payload)
        }
        payload { payloads.append(contentsOf: $0) }
        collected.append((opcode, payloads.count))
        if payloads.count >= Self.flushThreshold || collected.count >= 4096 { try await flush() }
    }

    private mutating func sendEncoded() async throws {
        defer { sentCount += encoded?.takeAccepted() ?? 0 }
        try await socket.send(&encoded)
    }

    private mutating func sendCollected() async throws {
        var first = 0
        defer {
            sentCount += first
            let sent = first > 0 ? collected[first - 1].end : 0
            collected.removeFirst(first)
            if collected.isEmpty {
                payloads.removeAll(keepingCapacity: true)
            } else {
                payloads.removeFirst(sent)
                for index in collected.indices { collected[index].end -= sent }
            }
        }
        if socket.isSubclass {
            while first < collected.count {
                let message = message(first)
                try await socket.send(message)
                first += 1
            }
            return
        }
        try await socket.send(payloads, collected, from: &first)
    }

    /// Sends a message from its own memory; there may be none before it.
    private mutating func sendAtOnce(
        _ opcode: Opcode,
        payload: (_ send: (UnsafeRawBufferPointer) -> Void) -> Void
    ) async throws {
        var accepted = 0
        defer { sentCount += accepted }
        try await socket.send(opcode, accepted: &accepted, payload: payload)
    }

    private func message(_ index: Int) -> Message {
        let start = index > 0 ? collected[index - 1].end : 0
        let bytes = Array(payloads[start..<collected[index].end])
        // It was a string, so nothing is repaired.
        return collected[index].opcode == .text
            ? .text(String(decoding: bytes, as: UTF8.self)) : .binary(bytes)
    }
}

extension WebSocket {
    /// Collects the messages that `body` adds to the batch, and sends them together, at the latest when
    /// `body` returns.
    ///
    /// ```swift
    /// try await socket.withBatch { batch in
    ///     for price in prices { try await batch.send(price) }
    /// }
    /// ```
    ///
    /// Nothing else has to wait while `body` waits: frames of other tasks and threads may go out
    /// between two portions of the batch.
    ///
    /// - Parameter body: Sends to the batch; it may await whatever it likes.
    /// - Returns: What `body` returns.
    /// - Throws: ``WebSocketError/batchInterrupted(sent:cause:)``, which says how many messages have
    ///   gone out or will; `CancellationError` if the task was cancelled before any did; and any error
    ///   of `body`'s own, after the messages before it have been sent.
    public func withBatch<Result>(
        _ body: (inout AsyncBatch) async throws -> Result
    ) async throws -> Result {
        var batch = AsyncBatch(socket: self)
        defer { batch.finish() }
        do {
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(try await body(&batch))
            } catch let error as WebSocketError {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch {
                result = .failure(error)
            }
            try await batch.flush()
            return try result.get()
        } catch let error as WebSocketError {
            throw WebSocketError.batchInterrupted(sent: batch.sentCount, cause: error)
        } catch let error as CancellationError {
            guard batch.sentCount > 0 else { throw error }
            throw WebSocketError.batchInterrupted(
                sent: batch.sentCount,
                cause: .cancelled(.sending(isAccepted: false))
            )
        }
    }

    /// Sends all messages with as few system calls as their size allows; see `withBatch(_:)`.
    ///
    /// - Parameter messages: The messages, in order.
    /// - Returns: How many were sent.
    /// - Throws: As `withBatch(_:)`.
    @discardableResult
    public func sendBatch(_ messages: some Sequence<Message>) async throws -> Int {
        try await withBatch { batch in
            for message in messages { try await batch.send(message) }
            return batch.count
        }
    }

    /// Sends binary messages; see `withBatch(_:)`.
    ///
    /// - Parameter messages: The messages, in order.
    /// - Returns: How many were sent.
    /// - Throws: As `withBatch(_:)`.
    @discardableResult
    public func sendBatch(binary messages: some Sequence<[UInt8]>) async throws -> Int {
        try await withBatch { batch in
            for message in messages { try await batch.send(binary: message) }
            return batch.count
        }
    }

    /// Sends text messages; see `withBatch(_:)`.
    ///
    /// - Parameter messages: The messages, in order.
    /// - Returns: How many were sent.
    /// - Throws: As `withBatch(_:)`.
    @discardableResult
    public func sendBatch(_ messages: some Sequence<String>) async throws -> Int {
        try await withBatch { batch in
            for message in messages { try await batch.send(message) }
            return batch.count
        }
    }

    /// Sends the messages that a batch has encoded, of which there are some.
    fileprivate func send(_ messages: inout EncodedMessages?) async throws {
        try await withOpenConnection { connection, timeouts in
            try await connection.sending(timeout: timeouts.send) {
                (slot, limit) throws(SendFailure) in
                try messages?.attemptSend(by: connection.sender, knocking: slot, limit: limit)
                    ?? .again
            }
        }
    }

    /// Sends one message; `accepted` becomes 1 once the message is certain to go out, even if the call
    /// throws later.
    fileprivate func send(
        _ opcode: Opcode,
        accepted: inout Int,
        payload: (_ send: (UnsafeRawBufferPointer) -> Void) -> Void
    ) async throws {
        var count = 0
        defer { accepted = count }
        try await withOpenConnection { connection, timeouts in
            try await connection.sending(timeout: timeouts.send) {
                (slot, limit) throws(SendFailure) in
                var result = Result<Attempt<StreamPosition>, SendFailure>.success(.again)
                payload { bytes in
                    result = Result { () throws(SendFailure) in
                        try connection.sender.attemptSend(
                            from: &count,
                            to: 1,
                            knocking: slot,
                            limit: limit
                        ) { _ in OutgoingFrame(opcode: opcode, payload: bytes) }
                    }
                }
                return try result.get()
            }
        }
    }

    /// Sends messages that are stored one after the other, from `first` on, which is advanced past
    /// accepted ones.
    fileprivate func send(
        _ payloads: [UInt8],
        _ messages: [(opcode: Opcode, end: Int)],
        from first: inout Int
    ) async throws {
        var accepted = first
        defer { first = accepted }
        try await withOpenConnection { connection, timeouts in
            try await connection.sending(timeout: timeouts.send) {
                (slot, limit) throws(SendFailure) in
                let result = payloads.withUnsafeBytes { bytes in
                    Result { () throws(SendFailure) in
                        try connection.sender.attemptSend(
                            from: &accepted,
                            to: messages.count,
                            knocking: slot,
                            limit: limit
                        ) { index in
                            let start = index > 0 ? messages[index - 1].end : 0
                            return OutgoingFrame(
                                opcode: messages[index].opcode,
                                payload: UnsafeRawBufferPointer(
                                    rebasing: bytes[start..<messages[index].end]
                                )
                            )
                        }
                    }
                }
                return try result.get()
            }
        }
    }
}
