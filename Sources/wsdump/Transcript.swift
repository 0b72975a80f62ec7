import WebSocketClient

/// An event to show: a frame that has arrived, or the end.
enum Event {
    case frame(ReceivedFrame)
    /// The peer's close frame.
    case close(CloseCode, reason: String)
}

/// A frame that has arrived, or a message in place of its fragments.
struct ReceivedFrame {
    var opcode: Opcode
    var payload: [UInt8]
    var isFinal = true
    /// Whether it is text, or a continuation of text.
    var isText = false
}

/// Turns events into lines.
struct Transcript: Sendable {
    var isVerbose = false
    var showsTimings = false
    var isJSON = false
    let start = ContinuousClock.now

    /// The line for an event; `nil` if it is not shown.
    func line(_ event: Event, at now: ContinuousClock.Instant = .now) -> String? {
        let seconds = start.duration(to: now) / .seconds(1)
        // Encoding fails only for numbers that JSON can't represent, such as infinity.
        if isJSON { return try? JSON.line(event, seconds: seconds) }
        guard let text = text(event) else { return nil }
        return showsTimings ? "\(seconds): \(text)" : text
    }

    private func text(_ event: Event) -> String? {
        switch event {
        case .frame(let frame):
            let data = data(frame)
            return isVerbose ? "\(Self.name(frame.opcode)): \(data)" : data
        case .close(let code, let reason):
            return isVerbose ? "close: \(Self.words(code, reason))" : nil
        }
    }

    private func data(_ frame: ReceivedFrame) -> String {
        guard frame.isText else { return Escaping.data(frame.payload) }
        // A fragment that cuts a character isn't UTF-8 by itself, so it keeps its bytes.
        return String(validating: frame.payload, as: UTF8.self).map(Escaping.text)
            ?? Escaping.bytes(frame.payload)
    }

    /// A close code and the peer's reason.
    static func words(_ code: CloseCode, _ reason: String) -> String {
        reason.isEmpty ? "\(code)" : "\(code) \(Escaping.text(reason))"
    }

    /// websocket-client's words.
    static func name(_ opcode: Opcode) -> String {
        opcode == .continuation ? "cont" : "\(opcode)"
    }
}
