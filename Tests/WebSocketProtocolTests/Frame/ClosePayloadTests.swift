import Testing
import WebSocketProtocol

@Suite("Close frames, RFC 6455 §5.5.1 and §7.4")
struct ClosePayloadTests {
    private func decode(_ bytes: [UInt8]) throws(ProtocolViolation) -> ClosePayload {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(ProtocolViolation) in try ClosePayload(decoding: buffer) }
        }
        return try result.get()
    }

    private func bytes(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
        [UInt8(code >> 8), UInt8(code & 0xFF)] + reason
    }

    /// The codes that a close frame may carry.
    private static let allowed: Set<UInt16> = Set(1000...1003).union(1007...1014).union(3000...4999)

    @Test("An empty payload has no code")
    func empty() throws {
        #expect(try decode([]) == ClosePayload(code: nil))
        #expect(ClosePayload(code: nil).encoded == [])
        #expect(ClosePayload(code: nil, reason: "without a code there is no reason").encoded == [])
    }

    @Test("Half a code is refused")
    func oneByte() {
        #expect(throws: ProtocolViolation(.closePayloadOfOneByte)) { try decode([3]) }
    }

    @Test("Exactly the codes that the RFC and the registry allow are accepted")
    func codes() {
        for code in UInt16.min...UInt16.max {
            var violation: ProtocolViolation?
            do throws(ProtocolViolation) { _ = try decode(bytes(code)) } catch { violation = error }
            let expected =
                Self.allowed.contains(code)
                ? nil : ProtocolViolation(.closeCode(CloseCode(rawValue: code)))
            // One expectation for each of 65,536 codes would take seconds.
            if violation != expected {
                Issue.record("code \(code): \(String(describing: violation))")
            }
        }
        #expect(ProtocolViolation(.closeCode(.noStatusReceived)).closeCode == .protocolError)
    }

    @Test("A reason is UTF-8, whole")
    func reasons() throws {
        let text = "grüße 👋"
        let payload = ClosePayload(code: .goingAway, reason: text)
        #expect(try decode(bytes(1001, Array(text.utf8))) == payload)
        #expect(payload.encoded == bytes(1001, Array(text.utf8)))
        // The offset of the byte that can't be right is counted in the reason.
        let wrong: [([UInt8], Int)] = [
            ([0x61, 0xFF], 1), ([0xC0, 0x80], 0), ([0xED, 0xA0, 0x80], 1), ([0x61, 0xE2, 0x82], 3),
            ([0xF4, 0x90, 0x80, 0x80], 1),
        ]
        for (reason, offset) in wrong {
            let violation = ProtocolViolation(.invalidUTF8(offset: offset))
            #expect(throws: violation) { try decode(bytes(1000, reason)) }
            #expect(violation.closeCode == .invalidPayload)
        }
    }

    @Test("A long reason is cut between characters, and can be read back")
    func cutting() throws {
        for pad in 0..<8 {
            for unit in ["x", "é", "€", "👋", "👩‍👩‍👧‍👦", "e\u{301}"] {
                let pads = String(repeating: "-", count: pad)
                let reason = pads + String(repeating: unit, count: 130)
                let encoded = ClosePayload(code: .normalClosure, reason: reason).encoded
                #expect(encoded.count <= FrameHeader.maximumControlPayload)
                #expect(encoded.count + unit.utf8.count > FrameHeader.maximumControlPayload)
                let read = try decode(encoded)
                #expect(reason.hasPrefix(read.reason))
            }
        }
    }

    @Test("A frame gives its close payload, and nil for a malformed one")
    func frames() {
        #expect(Frame(opcode: .close).closePayload == ClosePayload(code: nil))
        let full = Frame(opcode: .close, payload: bytes(4000, [0x68, 0x69]))
        #expect(full.closePayload == ClosePayload(code: CloseCode(rawValue: 4000), reason: "hi"))
        #expect(Frame(opcode: .close, payload: [1]).closePayload == nil)
        #expect(Frame(opcode: .close, payload: bytes(1005)).closePayload == nil)
        #expect(Frame(opcode: .ping, payload: bytes(1000)).closePayload == nil)
    }

    @Test("Close codes have the numbers of the registry")
    func registry() {
        let codes: [(CloseCode, UInt16)] = [
            (.normalClosure, 1000), (.goingAway, 1001), (.protocolError, 1002),
            (.unsupportedData, 1003), (.noStatusReceived, 1005), (.abnormalClosure, 1006),
            (.invalidPayload, 1007), (.policyViolation, 1008), (.messageTooBig, 1009),
            (.mandatoryExtension, 1010), (.internalError, 1011), (.serviceRestart, 1012),
            (.tryAgainLater, 1013), (.badGateway, 1014), (.tlsHandshake, 1015),
        ]
        for (code, number) in codes { #expect(code.rawValue == number) }
    }
}
