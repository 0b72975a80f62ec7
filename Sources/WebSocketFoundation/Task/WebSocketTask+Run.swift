import Foundation
import WebSocketClient

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

// The life of a task's connection. Two Swift tasks share it: one reads, one writes. Both end when the
// connection does; then the task completes.
extension WebSocketTask {
    func run() async {
        guard let socket = await opened() else { return complete(nil) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.readMessages(from: socket) }
            group.addTask { await self.writeMessages(to: socket) }
        }
        socket.abort()
        complete(socket.closeFrame)
    }

    /// Opens the connection; `nil` if that failed or was cancelled.
    private func opened() async -> WebSocket? {
        let socket: WebSocket
        let handshake: TaskHandshake
        do {
            handshake = try TaskHandshake(of: self)
            socket = WebSocket(options: handshake.options)
            let connecting = Task { try await socket.connect(to: handshake.url) }
            let isWanted = change { state in
                state.connecting = connecting
                return state.phase == .connecting
            }
            if !isWanted { connecting.cancel() }
            defer {
                if let answer = socket.handshakeResponse { handshake.take(answer, for: self) }
            }
            try await connecting.value
        } catch {
            change { $0.fail(taskError(error)) }
            return nil
        }
        guard change({ $0.didOpen(socket) }) else {
            socket.abort()
            return nil
        }
        report { delegate, session, task in
            delegate.urlSession(
                session,
                webSocketTask: task,
                didOpenWithProtocol: socket.subprotocol
            )
        }
        return socket
    }

    // MARK: Reading

    private func readMessages(from socket: WebSocket) async {
        while await isReadingWanted() {
            do {
                let (opcode, payload) = try await socket.receiveData(controlFrames: true)
                switch opcode {
                case .ping: break
                case .pong: receivePong(payload)
                case .text: deliver(.string(String(decoding: payload, as: UTF8.self)))
                default: deliver(.data(Data(payload)))
                }
            } catch {
                fail(error)
            }
        }
    }

    private func isReadingWanted() async -> Bool {
        while true {
            switch change({ $0.readsOn() }) {
            case .item: return true
            case .end: return false
            case .wait: await reading.wait()
            }
        }
    }

    private func deliver(_ message: Message) {
        change { $0.didReceive(message) }?(.success(message))
    }

    private func receivePong(_ payload: [UInt8]) {
        guard payload.count == 8 else { return }
        let number = payload.reduce(0) { $0 << 8 | UInt64($1) }
        for reply in change({ $0.didReceivePong(number) }) { reply(.success(())) }
    }

    // MARK: Writing

    private func writeMessages(to socket: WebSocket) async {
        while let next = await nextOutgoing() {
            do {
                switch next {
                case .message(let message, let reply): try await send(message, reply, to: socket)
                case .ping(let number):
                    let payload = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
                    try await socket.ping(payload)
                case .close(let code, let reason):
                    // Until that is done, the reader goes on: it will find the end.
                    _ = try await socket.close(code: code, reason: reason)
                    return fail(URLError(.cancelled))
                }
            } catch {
                change { $0.failSending(taskError(error)) }.tell()
                // What the server sent before it closed the connection can still be read.
                guard case WebSocketError.connectionClosed = error else {
                    fail(error)
                    return socket.abort()
                }
                return reading.signal()
            }
        }
    }

    private func nextOutgoing() async -> TaskState.Outgoing? {
        while true {
            switch change({ $0.nextOutgoing() }) {
            case .item(let item): return item
            case .end: return nil
            case .wait: await writing.wait()
            }
        }
    }

    private func send(
        _ message: Message,
        _ reply: Reply<Void>,
        to socket: WebSocket
    ) async throws {
        do {
            switch message {
            case .string(let text): try await socket.send(text)
            case .data(let data): try await socket.send(consuming: Array(data))
            }
        } catch {
            reply(.failure(taskError(error)))
            throw error
        }
        reply(.success(()))
    }

    // MARK: The end

    func cancel(with code: CloseCode, reason: Data?, sendsRest: Bool) {
        switch change({ $0.cancel(with: code, reason: reason, sendsRest: sendsRest) }) {
        case .none: break
        case .complete: complete(nil)
        case .stopConnecting(let outstanding):
            outstanding.tell()
            change { $0.connecting }?.cancel()
        case .close(let outstanding):
            outstanding.tell()
            watchClosing()
            wakeUp()
        }
    }

    /// Ends a closing that a server that reads nothing would hold up.
    private func watchClosing() {
        let limit = session.options.timeouts.close
        let watch = Task {
            try? await Task.sleep(for: limit)
            guard change({ $0.hasUnsentClose }) else { return }
            fail(URLError(.cancelled))
            change({ $0.socket })?.abort()
        }
        change { $0.watch = watch }
    }

    private func fail(_ error: any Error) {
        var isPeersClose = false
        if case WebSocketError.connectionClosed(let end) = error {
            isPeersClose = end.received != nil
        }
        change { $0.fail(taskError(error), isPeersClose: isPeersClose) }
        wakeUp()
    }

    private func complete(_ close: ClosePayload?) {
        let (outstanding, error, watch) = change { state in
            let (outstanding, error) = state.complete(close)
            return (outstanding, error, state.watch.take())
        }
        watch?.cancel()
        if close != nil {
            report { [closeCode, closeReason] delegate, session, task in
                delegate.urlSession(
                    session,
                    webSocketTask: task,
                    didCloseWith: closeCode,
                    reason: closeReason
                )
            }
        }
        outstanding.tell()
        report { delegate, session, task in
            delegate.urlSession(session, task: task, didCompleteWithError: error)
        }
        session.forget(taskIdentifier)
    }

    private func report(
        _ call:
            @escaping @Sendable (any WebSocketSessionDelegate, WebSocketSession, WebSocketTask) ->
            Void
    ) {
        guard let delegate = session.delegate else { return }
        session.delegateQueue.addOperation { [self] in call(delegate, session, self) }
    }
}
