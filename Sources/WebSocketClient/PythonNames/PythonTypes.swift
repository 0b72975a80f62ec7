// swift-format-ignore-file: AlwaysUseLowerCamelCase
// websocket-client's names with the types that Python has in those places: a number of seconds, a status
// as a number, bytes without a label. As in GlobalNames.swift, none of them exists at run time.

/// websocket-client's name, with a number of seconds.
@available(*, unavailable, message: "Write createConnection(url, timeout: .seconds(5)).")
public func create_connection(_ url: String, timeout: Double) throws -> WebSocket {
    try createConnection(url, timeout: .seconds(timeout))
}

/// websocket-client's name, with a number of seconds.
@available(*, unavailable, message: "Write WebSocket.defaultTimeout = .seconds(5).")
public func setdefaulttimeout(_ timeout: Double) { WebSocket.defaultTimeout = .seconds(timeout) }

/// websocket-client's name, with a number of seconds.
@available(*, unavailable, message: "Write WebSocketApp.defaultReconnection = .every(.seconds(5)).")
public func set_reconnect(_ interval: Double) {
    WebSocketApp.defaultReconnection = .every(.seconds(interval))
}

extension WebSocket {
    /// websocket-client's name, with a number of seconds.
    @available(*, unavailable, message: "Write timeout = .seconds(5).")
    public func settimeout(_ timeout: Double) { self.timeout = .seconds(timeout) }

    /// websocket-client's form, bytes without a label.
    @available(*, unavailable, renamed: "send(binary:)")
    @discardableResult
    public func send(_ bytes: some Collection<UInt8>) throws -> Int { try send(binary: bytes) }

    /// websocket-client's form, the opcode without a label.
    @available(*, unavailable, renamed: "send(_:opcode:)")
    @discardableResult
    public func send(_ payload: [UInt8], _ opcode: Opcode) throws -> Int {
        try send(payload, opcode: opcode)
    }

    /// websocket-client's form, text with an opcode.
    @available(*, unavailable, message: "Write send(text), or send(_:opcode:) with bytes.")
    @discardableResult
    public func send(_ text: String, opcode: Opcode) throws -> Int {
        try send(Array(text.utf8), opcode: opcode)
    }

    /// A form that `send(binary:)` suggests.
    @available(*, unavailable, renamed: "send(_:)")
    @discardableResult
    public func send(text: String) throws -> Int { try send(text) }

    /// websocket-client's form, the status as a number.
    @available(*, unavailable, message: "Write close(code: .normalClosure, reason: reason).")
    @discardableResult
    public func close(_ status: UInt16, _ reason: String = "") throws -> ClosePayload? {
        try close(code: CloseCode(rawValue: status), reason: reason)
    }

    /// websocket-client's form, the status as a number.
    @available(*, unavailable, message: "Write close(code: .normalClosure, reason: reason).")
    @discardableResult
    public func close(status: UInt16, reason: String = "") throws -> ClosePayload? {
        try close(code: CloseCode(rawValue: status), reason: reason)
    }

    /// websocket-client's name, with the status as a number.
    @available(*, unavailable, message: "Write sendClose(code: .normalClosure, reason: reason).")
    public func send_close(_ status: UInt16, _ reason: String = "") throws {
        try sendClose(code: CloseCode(rawValue: status), reason: reason)
    }
}

extension WebSocketApp {
    /// websocket-client's name, with numbers of seconds.
    @available(
        *,
        unavailable,
        message: "Write runForever(pingInterval: .seconds(30), pingTimeout: .seconds(10))."
    )
    @discardableResult
    public func run_forever(
        ping_interval: Double,
        ping_timeout: Double? = nil,
        reconnect: Double? = nil
    ) throws -> Bool {
        try runForever(
            pingInterval: .seconds(ping_interval),
            pingTimeout: ping_timeout.map { .seconds($0) },
            reconnect: reconnect.map { .every(.seconds($0)) }
        )
    }

    /// websocket-client's name, with a number of seconds.
    @available(*, unavailable, message: "Write runForever(reconnect: .every(.seconds(5))).")
    @discardableResult
    public func run_forever(reconnect: Double) throws -> Bool {
        try runForever(reconnect: .every(.seconds(reconnect)))
    }

    /// websocket-client's form, bytes without a label.
    @available(*, unavailable, renamed: "send(binary:)")
    @discardableResult
    public func send(_ bytes: some Collection<UInt8>) throws -> Int { try send(binary: bytes) }

    /// websocket-client's form, the status as a number.
    @available(*, unavailable, message: "Write close(code: .normalClosure, reason: reason).")
    public func close(status: UInt16, reason: String = "") throws {
        try close(code: CloseCode(rawValue: status), reason: reason)
    }
}
