import Dispatch
import TestSupport
import WebSocketProtocol

@testable import WebSocketClient

/// The result of a task while a thread of a test waits: for async calls in a suite that blocks.
///
/// Over a stream in memory, the task's waits take no time either: when it sleeps, it is woken at once, or
/// cancelled, which stands for a time-out.
func awaiting<Value: Sendable>(
    over socket: WebSocket,
    _ body: @escaping @Sendable () async throws -> Value
) throws -> Value {
    let outcome = Locked<Result<Value, any Error>?>(nil)
    let isOver = DispatchSemaphore(value: 0)
    let task = Task {
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        outcome.withLock { $0 = result }
        isOver.signal()
    }
    if let connection = socket.connection, let stream = connection.sender.stream as? FaultyStream {
        while isOver.wait(timeout: .now() + .microseconds(20)) == .timedOut {
            connection.endWait(over: stream) { task.cancel() }
        }
    } else {
        isOver.wait()
    }
    guard let result = outcome.withLock({ $0 }) else { throw SupportError("a task has got lost") }
    return try result.get()
}

extension Connection {
    /// Ends the wait of a task, if one sleeps.
    fileprivate func endWait(over stream: FaultyStream, cancel: () -> Void) {
        guard let readiness = sender.readiness.load() else { return }
        guard var interest = readiness.receiving.awaited ?? readiness.sending.awaited,
            !interest.isEmpty
        else { return }
        // Whoever waits for the peer has the rest of earlier frames written meanwhile.
        if sender.hasUnsentBytes { interest.insert(.write) }
        if let ready = try? stream.wait(for: interest, until: .ample) {
            readiness.report(ready, ended: [])
        } else {
            cancel()
            pause(.milliseconds(1))
        }
    }
}

/// The result of a call; if its task was cancelled, the error of a call whose time ran out, as which it counts
/// in a suite where no time passes.
private func countingAsTimeOut<Value>(
    _ operation: WebSocketError.Operation,
    _ call: () throws -> Value
) throws -> Value {
    do {
        return try call()
    } catch is CancellationError {
        throw WebSocketError.timedOut(operation)
    } catch WebSocketError.cancelled(let operation) {
        throw WebSocketError.timedOut(operation)
    } catch WebSocketError.batchInterrupted(let sent, .cancelled(let operation)) {
        throw WebSocketError.batchInterrupted(sent: sent, cause: .timedOut(operation))
    }
}

// The variants of the async calls.
extension Exchange {
    /// Each async way to send and to receive once, combined with the plain way.
    static func allAwaited(_ sizes: [Int], isCompressed: Bool) -> [Exchange] {
        let sendings: [Sending] = [
            .text, .binary, .message, .prepared, .messages, .batch, .batchBody, .consuming, .ping,
            .pong,
        ]
        let receivings: [Receiving] = [
            .receiveData, .receiveDataFrame, .next, .forEachMessage, .fragments, .subclass,
            .fragmentsOfSubclass,
        ]
        var exchanges = sendings.map {
            Exchange(sending: $0, isCompressed: isCompressed, sizes: sizes)
        }
        exchanges += receivings.map {
            Exchange(receiving: $0, isCompressed: isCompressed, sizes: sizes)
        }
        return exchanges.map { exchange in
            var exchange = exchange
            exchange.isAwaited = true
            return exchange
        }
    }

    /// Makes one call that sends, in a task.
    func sendAwaited(_ payload: [UInt8], _ halves: [[UInt8]], over socket: WebSocket) throws {
        let sending = sending
        try countingAsTimeOut(.sending(isAccepted: false)) {
            try awaiting(over: socket) {
                try await Self.send(payload, halves, as: sending, over: socket)
            }
        }
    }

    private static func send(
        _ payload: [UInt8],
        _ halves: [[UInt8]],
        as sending: Sending,
        over socket: WebSocket
    ) async throws {
        let text = String(decoding: payload, as: UTF8.self)
        switch sending {
        case .text: try await socket.send(text)
        case .binary: try await socket.send(binary: payload)
        case .ping: try await socket.ping(payload)
        case .pong: try await socket.pong(payload)
        case .message: try await socket.send(Message.binary(payload))
        case .prepared: try await socket.send(PreparedMessage(binary: payload))
        case .batch: try await socket.sendBatch(binary: [payload])
        case .messages: try await socket.sendBatch(binary: halves)
        case .consuming: try await socket.send(consuming: payload)
        case .batchBody:
            try await socket.withBatch { batch in
                try await batch.send(text)
                try await batch.flush()
            }
        default: throw SupportError("\(sending) isn't awaited")
        }
    }
}

extension Reception {
    /// Receives one message, or a part of it, in a task.
    static func nextAwaited(
        _ way: Exchange.Receiving,
        from socket: WebSocket
    ) throws -> (bytes: [UInt8], isLast: Bool) {
        try countingAsTimeOut(.receiving) {
            try awaiting(over: socket) { try await next(way, from: socket) }
        }
    }

    private static func next(
        _ way: Exchange.Receiving,
        from socket: WebSocket
    ) async throws -> (bytes: [UInt8], isLast: Bool) {
        switch way {
        case .receive, .subclass: return (try await socket.receive().bytes, true)
        case .receiveData: return (try await socket.receiveData().payload, true)
        case .next: return (try await socket.next()?.bytes ?? [], true)
        case .forEachMessage:
            var message: [UInt8] = []
            try await socket.forEachMessage { _, bytes in
                message = bytes.withUnsafeBytes { Array($0) }
                return false
            }
            return (message, true)
        case .receiveDataFrame:
            while true {
                let frame = try await socket.receiveDataFrame(controlFrames: true)
                if !frame.opcode.isControl { return (frame.payload, true) }
            }
        case .fragments, .fragmentsOfSubclass:
            let frame = try await socket.receiveDataFrame()
            return (frame.payload, frame.isFinal)
        case .receiveFrame, .parts, .smallParts:
            throw SupportError("\(way) isn't awaited")
        }
    }
}
