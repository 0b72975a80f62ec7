public import Logging
import Synchronization
import WebSocketProtocol

/// Turns the trace of the whole process on or off: handshakes both ways, frames sent and received.
///
/// ```swift
/// enableTrace(true)
/// ```
///
/// The trace goes to swift-log with the label "websocket", whose default is standard error; a program
/// that has set up swift-log gets it where its own log goes. Left out are the queries of URLs, and the
/// values of `Cookie`, `Set-Cookie`, `Authorization`, `Proxy-Authorization` and of every field whose
/// name speaks of a token, a secret, a password or an API key. Payloads are shown, up to 64 bytes of
/// each. Connections that are open already show fragmented messages in one piece.
///
/// - Parameters:
///   - isOn: Whether to trace.
///   - logger: Where to, if not to the logger "websocket".
///   - level: The level of the entries, which is also what the logger "websocket" lets through.
public func enableTrace(
    _ isOn: Bool = true,
    logger: Logger? = nil,
    level: Logger.Level = .debug
) {
    Tracing.set(isOn, logger: logger, level: level)
}

/// What ``enableTrace(_:logger:level:)`` shows, and in which words.
enum Tracing {
    private struct Destination {
        var logger: Logger?
        var level = Logger.Level.debug
    }

    private static let isOn = Atomic<Bool>(false)
    private static let destination = Locked(Destination())
    /// How much of a payload is shown.
    private static let shownBytes = 64

    /// To be asked before anything else here is called: all that the trace costs while it is off.
    @inline(__always)
    static var isEnabled: Bool { isOn.load(ordering: .relaxed) }

    static func set(_ isEnabled: Bool, logger: Logger?, level: Logger.Level) {
        // Loggers are made and let go of outside the lock: their handlers run any code.
        var chosen = Destination(level: level)
        if isEnabled {
            var used = logger ?? Logger(label: "websocket")
            if logger == nil { used.logLevel = min(level, used.logLevel) }
            chosen.logger = used
        }
        destination.withLock { swap(&$0, &chosen) }
        isOn.store(isEnabled, ordering: .relaxed)
    }

    static func log(_ text: @autoclosure () -> String) {
        let (logger, level) = destination.withLock { ($0.logger, $0.level) }
        logger?.log(level: level, "\(text())")
    }

    // MARK: Handshakes

    static func request(_ request: HandshakeRequest, to url: WebSocketURL) {
        log(
            """
            --- request header to \("\(url)".hidingQuery) ---
            GET \(request.target.hidingQuery) HTTP/1.1
            \(request.fields.redactedLines)
            -----------------------
            """
        )
    }

    static func response(_ response: HandshakeResponse) {
        log(
            """
            --- response header ---
            HTTP/1.1 \(response)
            \(response.headers.redactedLines)
            -----------------------
            """
        )
    }

    // MARK: Frames

    static func sent(_ frame: OutgoingFrame) {
        log(
            "++Sent "
                + line(frame.opcode, frame.isFinal, frame.reservedBits, frame.payload)
        )
    }

    static func received(_ event: DecodedEvent, joined: @autoclosure () -> Int) {
        switch event {
        case .needsMoreBytes: break
        case .message(let opcode, let payload), .control(let opcode, let payload):
            log("++Rcv " + line(opcode, true, 0, payload))
        case .assembledMessage(let opcode):
            log("++Rcv message opcode=\(opcode) length=\(joined())")
        }
    }

    static func received(_ frame: Frame) {
        frame.payload.withUnsafeBytes { payload in
            log("++Rcv " + line(frame.opcode, frame.isFinal, frame.reservedBits, payload))
        }
    }

    /// The first piece of a frame that isn't a message by itself.
    @Sendable
    static func receivedFragment(_ piece: FramePiece, length: Int) {
        let payload = UnsafeRawBufferPointer(piece.bytes)
        log("++Rcv " + line(piece.opcode, piece.isFinal, piece.reservedBits, payload, length))
    }

    static func line(
        _ opcode: Opcode,
        _ isFinal: Bool,
        _ reservedBits: UInt8,
        _ payload: UnsafeRawBufferPointer,
        _ length: Int? = nil
    ) -> String {
        let length = length ?? payload.count
        let bits = [4: " rsv1", 2: " rsv2", 1: " rsv3"].sorted { $0.key > $1.key }
            .filter { reservedBits & UInt8($0.key) != 0 }.map { "\($0.value)=1" }.joined()
        let shown = payload.prefix(shownBytes)
        let data =
            switch opcode {
            case .text where reservedBits & 4 == 0:
                String(decoding: shown, as: UTF8.self).quoted
            case .close: closing(payload)
            default: readable(shown)
            }
        return "fin=\(isFinal ? 1 : 0)\(bits) opcode=\(opcode) length=\(length)"
            + " data=\(data)\(length > shown.count ? "…" : "")"
    }

    private static func closing(_ payload: UnsafeRawBufferPointer) -> String {
        guard let payload = try? ClosePayload(decoding: payload) else { return "(malformed)" }
        guard let code = payload.code else { return "(none)" }
        return "\(code) \(payload.reason.quoted)"
    }

    /// Plain text as such, all else in hexadecimal digits.
    private static func readable(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        if !bytes.isEmpty, bytes.allSatisfy({ (0x20...0x7E).contains($0) }) {
            return String(decoding: bytes, as: UTF8.self).quoted
        }
        return "[" + bytes.map(hexadecimal).joined(separator: " ") + "]"
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
