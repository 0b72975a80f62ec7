import Logging
import Synchronization
import WebSocketProtocol

// Rules:
// 1. `Tracing.isEnabled` is checked before anything here is called: that is the whole cost of logging
//    while nobody listens.
// 2. A handler is user code. It runs outside every lock, perhaps while the calling thread sends or
//    receives; messages that it sends on that connection are refused then.
// 3. Nothing that a handler does is logged: a handler that sends entries over a socket would never
//    finish.
// 4. Payloads, queries and credentials never reach `ConnectOptions.logger`.

/// Reports the events of one connection, from its first attempt on, to the logger of its options and to
/// the trace of the whole process.
final class ConnectionLog: Sendable {
    /// For events that belong to no connection.
    static let none = ConnectionLog(number: 0, host: "", logger: nil)

    private static let lastNumber = Atomic<Int>(0)

    /// Numbers the connections of this process.
    let number: Int
    private let host: String
    private let logger: Logger?

    private init(number: Int, host: String, logger: Logger?) {
        self.number = number
        self.host = host
        self.logger = logger
        if logger != nil { Tracing.addListener() }
    }

    /// Gives a new connection its number.
    convenience init(host: String, logger: Logger?) {
        let number = Self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        self.init(number: number, host: host, logger: logger)
    }

    /// For events between the connections of an app.
    convenience init(_ logger: Logger) { self.init(number: 0, host: "", logger: logger) }

    deinit {
        if logger != nil { Tracing.removeListener() }
    }

    /// The same connection, at the host that a redirect leads to.
    func redirected(to host: String) -> ConnectionLog {
        ConnectionLog(number: number, host: host, logger: logger)
    }

    // MARK: The connection's life

    func connecting(port: UInt16, proxy: Proxy?) {
        let way = proxy.map { " through \($0)" } ?? ""
        tell(.debug, "Connecting to \(host) port \(port)\(way)")
    }

    func connectFailed(_ error: WebSocketError) {
        tell(.debug, "Connecting failed: \(error)".escapingControls)
    }

    func ended(_ error: WebSocketError) {
        tell(.debug, "Ended: \(error)".escapingControls)
    }

    func reconnecting(in delay: Duration) {
        tell(.debug, "Connecting again in \(delay)")
    }

    func sent(_ request: HandshakeRequest, to url: WebSocketURL) {
        let line = "GET \(request.target.hidingQuery) HTTP/1.1"
        tell(
            .debug,
            "Handshake request: \(line)",
            ["ws.direction": "sent"],
            traced: """
                --- request header to \("\(url)".hidingQuery) ---
                \(line)
                \(request.fields.redactedLines)
                -----------------------
                """
        )
        tellFields(request.fields.redactedLines, "sent")
    }

    func received(_ response: HandshakeResponse) {
        tell(
            .debug,
            "Handshake response: HTTP/1.1 \(response)",
            ["ws.direction": "received", "ws.status": "\(response.statusCode)"],
            traced: """
                --- response header ---
                HTTP/1.1 \(response)
                \(response.headers.redactedLines)
                -----------------------
                """
        )
        tellFields(response.headers.redactedLines, "received")
    }

    private func tellFields(_ lines: @autoclosure () -> String, _ direction: String) {
        guard let logger, logger.logLevel <= .trace else { return }
        for line in lines().split(separator: "\n") {
            tell(.trace, "Handshake field: \(line)", ["ws.direction": "\(direction)"], traced: nil)
        }
    }

    // MARK: Frames

    func sent(_ frame: OutgoingFrame) {
        tell("++Sent", "sent", frame.opcode, frame.isFinal, frame.reservedBits, frame.payload)
    }

    func received(_ event: DecodedEvent, joined: @autoclosure () -> Int) {
        switch event {
        case .needsMoreBytes: break
        case .message(let opcode, let payload), .control(let opcode, let payload):
            tell("++Rcv", "received", opcode, true, 0, payload)
        case .assembledMessage(let opcode):
            let count = joined()
            tell(
                .trace,
                "Message received",
                ["ws.direction": "received", "ws.opcode": "\(opcode)", "ws.size": "\(count)"],
                traced: "++Rcv message opcode=\(opcode) length=\(count)"
            )
        }
    }

    func received(_ frame: Frame) {
        frame.payload.withUnsafeBytes { payload in
            tell(
                "++Rcv",
                "received",
                frame.opcode,
                frame.isFinal,
                frame.reservedBits,
                payload
            )
        }
    }

    /// Reports the first piece of a frame that isn't a whole message.
    @Sendable
    func receivedFragment(_ piece: FramePiece, length: Int) {
        let payload = UnsafeRawBufferPointer(piece.bytes)
        tell(
            "++Rcv",
            "received",
            piece.opcode,
            piece.isFinal,
            piece.reservedBits,
            payload,
            length
        )
    }

    private func tell(
        _ mark: String,
        _ direction: String,
        _ opcode: Opcode,
        _ isFinal: Bool,
        _ reservedBits: UInt8,
        _ payload: UnsafeRawBufferPointer,
        _ length: Int? = nil
    ) {
        var metadata: Logger.Metadata {
            var metadata: Logger.Metadata = [
                "ws.direction": "\(direction)", "ws.opcode": "\(opcode)",
                "ws.size": "\(length ?? payload.count)", "ws.final": "\(isFinal)",
            ]
            if opcode == .close, let code = (try? ClosePayload(decoding: payload))?.code {
                metadata["ws.close.code"] = "\(code.rawValue)"
            }
            return metadata
        }
        tell(
            opcode == .close ? .debug : .trace,
            "Frame \(direction)",
            metadata,
            traced: "\(mark) "
                + Tracing.line(opcode, isFinal, reservedBits, payload, length)
        )
    }

    // MARK: To the handlers

    private func tell(
        _ level: Logger.Level,
        _ text: @autoclosure () -> String,
        _ metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        let text = text()
        tell(level, text, metadata(), traced: text)
    }

    /// `traced` is the text for the process's trace; `nil` if the event isn't traced.
    private func tell(
        _ level: Logger.Level,
        _ text: @autoclosure () -> String,
        _ metadata: @autoclosure () -> Logger.Metadata,
        traced: @autoclosure () -> String?
    ) {
        if let logger, logger.logLevel <= level {
            Tracing.handing {
                logger.log(level: level, "\(text())", metadata: withConnection(metadata()))
            }
        }
        guard let (tracer, level) = Tracing.destination, tracer.logLevel <= level else { return }
        Tracing.handing {
            guard let traced = traced() else { return }
            tracer.log(level: level, "\(traced)", metadata: withConnection(metadata()))
        }
    }

    private func withConnection(_ metadata: Logger.Metadata) -> Logger.Metadata {
        guard number > 0 else { return metadata }
        var metadata = metadata
        metadata["ws.connection"] = "\(number)"
        metadata["ws.url.host"] = "\(host)"
        return metadata
    }
}
