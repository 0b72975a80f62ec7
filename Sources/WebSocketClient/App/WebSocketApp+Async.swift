import WebSocketProtocol

extension WebSocketApp {
    /// Runs the app while the task sleeps: what ``runForever(sockopt:sslopt:pingInterval:pingTimeout:pingPayload:httpProxyHost:httpProxyPort:httpNoProxy:httpProxyAuth:httpProxyTimeout:skipUTF8Validation:host:origin:dispatcher:suppressOrigin:suppressHost:proxyType:reconnect:)``
    /// does with its default arguments.
    ///
    /// The callbacks come on the app's own thread, one at a time, and may block it. Returns after
    /// ``close(code:reason:timeout:)``, or when a connection has ended and is not to be opened again.
    /// Cancelling the task closes the connection, within ``Timeouts/close``.
    ///
    /// The signature is that of swift-service-lifecycle's `Service`, so `extension WebSocketApp:
    /// @retroactive Service {}` is enough to run an app in a service group.
    ///
    /// - Throws: `CancellationError` if the task was cancelled, after the connection has been closed;
    ///   ``WebSocketError``: `invalidArgument` if the app is running already, `system` if the process is out
    ///   of descriptors or threads. Errors of connections go to ``onError``.
    public func run() async throws {
        if Task.isCancelled { throw CancellationError() }
        let dispatcher = try begin()
        let call = try HelperCall { Result { try dispatcher.dispatch() } }
        try await call.value { [self] in close() }.get()
        if Task.isCancelled { throw CancellationError() }
    }

    /// Begins a run, which the caller has to dispatch; from now on it can be closed.
    private func begin() throws -> Dispatcher {
        let dispatcher = try Dispatcher()
        try runForever(dispatcher: dispatcher)
        return dispatcher
    }
}
