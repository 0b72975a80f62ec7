import WebSocketProtocol

/// Payloads of close frames: reading and writing one gives the same bytes.
enum CloseFuzz {
    static func run(_ input: inout Input) throws(Finding) {
        let bytes = input.rest
        let decoded = bytes.withUnsafeBytes { bytes in
            Result { () throws(ProtocolViolation) in try ClosePayload(decoding: bytes) }
        }
        if let payload = try accepted(decoded.get) { try check(payload, bytes) }
        try encoded(reason: String(decoding: bytes, as: UTF8.self))
    }

    private static func check(_ payload: ClosePayload, _ bytes: [UInt8]) throws(Finding) {
        try requireEscaped(payload.description)
        try require(payload.code?.isValidOnWire ?? true, "an invalid code")
        if bytes.count <= FrameHeader.maximumControlPayload {
            try require(payload.encoded == bytes, "encoded otherwise")
        }
    }

    /// Any reason gives a payload that fits a control frame and that the peer accepts.
    private static func encoded(reason: String) throws(Finding) {
        let bytes = ClosePayload(code: .goingAway, reason: reason).encoded
        try require(bytes.count <= FrameHeader.maximumControlPayload, "too long for a frame")
        let decoded = bytes.withUnsafeBytes { try? ClosePayload(decoding: $0) }
        try require(decoded?.code == .goingAway, "the peer refuses it")
        try require(reason.hasPrefix(decoded?.reason ?? "?"), "another reason")
    }
}
