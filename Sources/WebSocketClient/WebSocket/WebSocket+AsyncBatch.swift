import WebSocketProtocol

/// Messages that go out together; lent by the async `WebSocket.withBatch`.
///
/// They are collected until there are 64 KiB of them, and then sent with as few system calls as
/// possible; the task sleeps while the peer doesn't read. The batch holds no more memory than that. A
/// message of 16 KiB or more isn't collected: it is sent from its own memory, after those before it.
public struct AsyncBatch: ~Copyable {
    private let socket: WebSocket
    /// The payloads, one behind the other.
    private var payloads: [UInt8] = []
    private var collected: [(opcode: Opcode, end: Int)] = []
    /// How many messages the connection has accepted: it sends them in any case.
    fileprivate private(set) var sentCount = 0

    private static let flushThreshold = 64 << 10
    /// For messages of this size or more, copying costs more than the system call that it saves.
    private static let collectingLimit = 16 << 10

    fileprivate init(socket: WebSocket) { self.socket = socket }

    /// How many messages the batch has taken so far.
    public var count: Int { sentCount + collected.count }

    /// Adds a text message; sleeps only when the batch is full and the peer doesn't read.
    ///
    /// - Parameter text: The message.
    /// - Throws: As `send(_:)`.
    public mutating func send(_ text: String) async throws {
        guard collects(text.utf8.count) else {
            var text = text
            return try await sendAtOnce(.text) { send in
                text.withUTF8 { send(UnsafeRawBufferPointer($0)) }
            }
        }
        payloads.append(contentsOf: text.utf8)
        try await didAppend(.text)
    }

    /// Adds a binary message; otherwise as ``send(_:)-(String)``.
    ///
    /// - Parameter bytes: The message.
    /// - Throws: As `send(_:)`.
    public mutating func send(binary bytes: [UInt8]) async throws {
        guard collects(bytes.count) else {
            return try await sendAtOnce(.binary) { send in bytes.withUnsafeBytes { send($0) } }
        }
        payloads.append(contentsOf: bytes)
        try await didAppend(.binary)
    }

    /// Adds a message; otherwise as ``send(_:)-(String)``.
    ///
    /// - Parameter message: The message.
    /// - Throws: As `send(_:)`.
    public mutating func send(_ message: Message) async throws {
        switch message {
        case .text(let text): try await send(text)
        case .binary(let bytes): try await send(binary: bytes)
        }
    }

    /// Sends the messages collected so far.
    ///
    /// - Throws: As `send(_:)`.
    public mutating func flush() async throws {
        guard !collected.isEmpty else { return }
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

    private func collects(_ count: Int) -> Bool {
        count < Self.collectingLimit || socket.isSubclass
    }

    /// Sends the collected messages, and then one from its own memory.
    private mutating func sendAtOnce(
        _ opcode: Opcode,
        payload: (_ send: (UnsafeRawBufferPointer) -> Void) -> Void
    ) async throws {
        try await flush()
        var accepted = 0
        defer { sentCount += accepted }
        try await socket.send(opcode, accepted: &accepted, payload: payload)
    }

    private mutating func didAppend(_ opcode: Opcode) async throws {
        collected.append((opcode, payloads.count))
        if payloads.count >= Self.flushThreshold || collected.count >= 4096 { try await flush() }
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
