// swift-format-ignore-file: AlwaysUseLowerCamelCase
// The names of websocket-client's WebSocket; see GlobalNames.swift.

extension WebSocket {
    /// websocket-client's name.
    @available(*, unavailable, renamed: "receive()")
    public func recv() throws -> Message { try receive() }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "receiveData(controlFrames:)")
    public func recv_data(
        control_frame: Bool = false
    ) throws -> (opcode: Opcode, payload: [UInt8]) {
        try receiveData(controlFrames: control_frame)
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "receiveDataFrame(controlFrames:)")
    public func recv_data_frame(
        control_frame: Bool = false
    ) throws -> Frame { try receiveDataFrame(controlFrames: control_frame) }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "receiveFrame()")
    public func recv_frame() throws -> Frame { try receiveFrame() }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(_:)")
    @discardableResult
    public func send_text(_ text: String) throws -> Int { try send(text) }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(binary:)")
    @discardableResult
    public func send_bytes(_ bytes: some Collection<UInt8>) throws -> Int {
        try send(binary: bytes)
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(binary:)")
    @discardableResult
    public func send_binary(_ bytes: some Collection<UInt8>) throws -> Int {
        try send(binary: bytes)
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(frame:)")
    @discardableResult
    public func send_frame(_ frame: Frame) throws -> Int {
        try send(frame: frame)
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "sendClose(code:reason:)")
    public func send_close(
        status: CloseCode = .normalClosure,
        reason: String = ""
    ) throws { try sendClose(code: status, reason: reason) }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:timeout(self:)")
    public func gettimeout() -> Duration? { timeout }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "setter:timeout(self:_:)")
    public func settimeout(_ timeout: Duration?) { self.timeout = timeout }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:subprotocol(self:)")
    public func getsubprotocol() -> String? { subprotocol }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:status(self:)")
    public func getstatus() -> Int? { status }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:headers(self:)")
    public func getheaders() -> HTTPFields { headers }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:isSecure(self:)")
    public func is_ssl() -> Bool { isSecure }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:fileDescriptor(self:)")
    public func fileno() -> Int32? { fileDescriptor }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "isConnected")
    public var connected: Bool { isConnected }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "fileDescriptor")
    public var sock: Int32? { fileDescriptor }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "handshakeResponse")
    public var handshake_response: HandshakeResponse? { handshakeResponse }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "closeFrame")
    public var close_frame: ClosePayload? { closeFrame }

    /// websocket-client's name.
    @available(*, unavailable, message: "Set ConnectOptions.maskingKey before connecting.")
    public func set_mask_key(_ make: @escaping @Sendable () -> UInt32) {
        options.maskingKey = make
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "options.maskingKey")
    public var get_mask_key: (@Sendable () -> UInt32)? { options.maskingKey }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "options.deliversFragments")
    public var fire_cont_frame: Bool { options.deliversFragments }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "options.socketOptions")
    public var sockopt: [SocketOption] { options.socketOptions }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "options.tls")
    public var sslopt: TLSOptions { options.tls }

    /// websocket-client's name.
    @available(
        *,
        unavailable,
        message: "Set ConnectOptions.validatesUTF8, which means the opposite."
    )
    public var skip_utf8_validation: Bool { !options.validatesUTF8 }

    /// websocket-client's name.
    @available(*, unavailable, message: "A WebSocket is safe to use from many threads, always.")
    public var enable_multithread: Bool { true }
}
