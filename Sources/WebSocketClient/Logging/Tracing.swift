public import Logging
import Synchronization
import WebSocketProtocol

/// Turns the trace of the whole process on or off: handshakes both ways, frames sent and received.
///
/// ```swift
/// enableTrace(true)
/// ```
///
/// The trace goes to a logger of swift-log labelled "websocket", which writes to standard error unless
/// the program has set up swift-log otherwise. It leaves out the queries of URLs, and the values of
/// `Cookie`, `Set-Cookie`, `Authorization`, `Proxy-Authorization` and of every field whose name
/// suggests a token, a secret, a password or an API key. Payloads are shown, up to 64 bytes of each.
/// Connections that are open already show fragmented messages in one piece. Each entry has the metadata
/// that ``ConnectOptions/logger`` describes; that option traces a single connection, without payloads.
///
/// The handler runs on the thread that sends or receives. Messages that it sends on a connection that
/// is just sending are refused, and nothing that it does is traced.
///
/// - Parameters:
///   - isOn: Whether to trace.
///   - logger: The logger to use in place of the one labelled "websocket".
///   - level: The level of the entries, and the lowest level that the logger "websocket" lets through.
public func enableTrace(
    _ isOn: Bool = true,
    logger: Logger? = nil,
    level: Logger.Level = .debug
) {
    Tracing.set(isOn, logger: logger, level: level)
}

/// The trace of the whole process, ``enableTrace(_:logger:level:)``, and what it shares with the loggers of
/// single connections.
enum Tracing {
    private struct Destination {
        var logger: Logger?
        var level = Logger.Level.debug
    }

    /// The process's trace, if it is on, and the connections with loggers of their own.
    private static let listeners = Atomic<Int>(0)
    private static let chosen = Locked(Destination())
    /// The threads that are inside a log handler.
    private static let busyThreads = Locked<Set<UInt>>([])
    /// How much of a payload is shown.
    private static let shownBytes = 64

    /// To be checked before anything is reported to a ``ConnectionLog``: the whole cost of logging
    /// while nobody listens.
    @inline(__always)
    static var isEnabled: Bool { listeners.load(ordering: .relaxed) != 0 }

    static func addListener() { listeners.wrappingAdd(1, ordering: .relaxed) }
    static func removeListener() { listeners.wrappingSubtract(1, ordering: .relaxed) }

    static func set(_ isEnabled: Bool, logger: Logger?, level: Logger.Level) {
        // Loggers are made and released outside the lock: their handlers may run any code.
        var next = Destination(level: level)
        if isEnabled {
            var used = logger ?? Logger(label: "websocket")
            if logger == nil { used.logLevel = min(level, used.logLevel) }
            next.logger = used
        }
        let wasEnabled = chosen.withLock { chosen in
            swap(&chosen, &next)
            return next.logger != nil
        }
        if isEnabled, !wasEnabled { addListener() }
        if !isEnabled, wasEnabled { removeListener() }
    }

    /// Where the process's trace goes, while it is on.
    static var destination: (logger: Logger, level: Logger.Level)? {
        let (logger, level) = chosen.withLock { ($0.logger, $0.level) }
        return logger.map { ($0, level) }
    }

    /// Calls a log handler, unless this thread is inside one: a handler's own actions aren't logged, or
    /// one that sends over a socket would call itself without end.
    static func handing(_ call: () -> Void) {
        let thread = Threads.currentNumber
        guard busyThreads.withLock({ $0.insert(thread).inserted }) else { return }
        defer { _ = busyThreads.withLock { $0.remove(thread) } }
        call()
    }

    /// For what belongs to no connection.
    static func log(_ text: @autoclosure () -> String) {
        guard let (logger, level) = destination else { return }
        handing { logger.log(level: level, "\(text())") }
    }

    // MARK: Words

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

    /// Plain text as it is, everything else in hexadecimal.
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
