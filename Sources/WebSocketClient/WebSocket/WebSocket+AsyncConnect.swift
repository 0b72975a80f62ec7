import WebSocketProtocol

extension WebSocket {
    /// Opens a connection, like the blocking ``connect(to:options:)-swift.type.method``, while the task
    /// sleeps.
    ///
    /// ```swift
    /// let socket = try await WebSocket.connect(to: "wss://example.com/feed")
    /// for try await message in socket.messages { print(message) }
    /// ```
    ///
    /// Helper threads resolve the name and perform the handshakes. Cancelling the task ends the attempt
    /// at once.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - options: The options, time-outs included.
    /// - Returns: The connected socket, on which async and blocking calls can be mixed.
    /// - Throws: ``WebSocketError``, as the blocking method; `CancellationError` if the task was cancelled.
    public static func connect(
        to url: String,
        options: ConnectOptions = ConnectOptions()
    ) async throws -> Self {
        let socket = Self(options: options)
        try await socket.connect(to: url)
        return socket
    }

    /// Opens this socket's connection while the task sleeps; otherwise as
    /// ``connect(to:options:)-swift.method``.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - options: What to use in place of the socket's own options, from now on.
    /// - Throws: ``WebSocketError``, as the blocking method; `CancellationError` if the task was cancelled,
    ///   and then the socket isn't connected.
    public func connect(to url: String, options: ConnectOptions? = nil) async throws {
        if Task.isCancelled { throw CancellationError() }
        let result: Result<Void, any Error>
        if isSubclass {
            let call = try HelperCall { [self] in
                Result { try connect(to: url, options: options) }
            }
            result = await call.value { [self] in abort() }
        } else {
            if let options { self.options = options }
            result = await OpeningAttempt(self, to: url).performed()
        }
        if Task.isCancelled {
            // It may have been opened at the last moment.
            abort()
            throw CancellationError()
        }
        try result.get()
    }

    /// Runs `body` with an open connection, and closes it.
    ///
    /// ```swift
    /// try await WebSocket.withConnection(to: "wss://example.com/feed") { socket in
    ///     try await socket.send("subscribe")
    ///     for try await message in socket.messages { print(message) }
    /// }
    /// ```
    ///
    /// If `body` returns, the connection is closed with 1000; if it throws, or the task has been
    /// cancelled, with 1001. Closing takes at most ``Timeouts/close``, 3 s by default, and isn't cut
    /// short by cancellation.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - options: The options.
    ///   - body: Uses the connection. Keep no reference to it: it is closed afterwards.
    /// - Returns: What `body` returns.
    /// - Throws: What `connect(to:options:)` throws, and what `body` throws.
    public static func withConnection<Result>(
        to url: String,
        options: ConnectOptions = ConnectOptions(),
        _ body: (Self) async throws -> Result
    ) async throws -> Result {
        let socket = Self(options: options)
        try await socket.connect(to: url)
        do {
            let result = try await body(socket)
            _ = try await socket.close(code: Task.isCancelled ? .goingAway : .normalClosure)
            return result
        } catch {
            _ = try? await socket.close(code: .goingAway)
            throw error
        }
    }
}

extension OpeningAttempt {
    private static let connectors = Connectors()

    /// Makes the attempt on a helper thread while the task sleeps.
    fileprivate func performed() async -> Result<Void, any Error> {
        let reactor: Reactor
        do throws(TransportError) {
            reactor = try Reactor.shared()
        } catch {
            return .failure(WebSocketError(error, during: .connecting))
        }
        let slot = WaitSlot()
        let outcome = Locked<Result<Void, WebSocketError>?>(nil)
        let hasThread = Self.connectors.start(self) { result in
            outcome.withLock { $0 = result }
            slot.knock()
        }
        return await withTaskCancellationHandler {
            var hasThread = hasThread
            while true {
                let pause = hasThread ? Deadline.never : .after(Connectors.patience)
                await slot.wait(for: [], until: pause, on: reactor)
                if let result = outcome.withLock({ $0 }) { return result.mapError { $0 } }
                // A thread that still works on it is left behind, and will end.
                if Task.isCancelled { return .failure(CancellationError()) }
                Self.connectors.relieve(self)
                hasThread = !isWaiting
            }
        } onCancel: {
            cancel()
            slot.knock()
        }
    }
}
