import WebSocketClient

/// Something that is shown: a frame that has arrived, or the end.
enum Event {
    case frame(Opcode, [UInt8], isFinal: Bool)
    /// The peer's close frame.
    case close(CloseCode, reason: String)
}

/// Turns what happens into lines.
struct Transcript: Sendable {
    var isVerbose = false
    var showsTimings = false
    var isJSON = false
    let start = ContinuousClock.now

    /// The line for an event; `nil` if it is not shown.
    func line(_ event: Event, at now: ContinuousClock.Instant = .now) -> String? {
        let seconds = start.duration(to: now) / .seconds(1)
        if isJSON { return JSON.line(event, seconds: seconds) }
        guard let text = text(event) else { return nil }
        return showsTimings ? "\(seconds): \(text)" : text
    }

    private func text(_ event: Event) -> String? {
        switch event {
        case .frame(let opcode, let payload, _):
            let data =
                opcode == .text
                ? Legible.text(String(decoding: payload, as: UTF8.self)) : Legible.data(payload)
            return isVerbose ? "\(Self.name(opcode)): \(data)" : data
        case .close(let code, let reason):
            return isVerbose ? "close: \(Self.words(code, reason))" : nil
        }
    }

    /// A close code and what the peer said to it.
    static func words(_ code: CloseCode, _ reason: String) -> String {
        reason.isEmpty ? "\(code)" : "\(code) \(Legible.text(reason))"
    }

    /// websocket-client's words.
    static func name(_ opcode: Opcode) -> String {
        opcode == .continuation ? "cont" : "\(opcode)"
    }
}
