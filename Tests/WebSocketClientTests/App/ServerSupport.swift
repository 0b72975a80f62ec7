import LoopbackServer
import WebSocketProtocol

@testable import WebSocketClient

extension ServerConnection {
    func send(_ opcode: Opcode, _ payload: [UInt8], isFinal: Bool = true) throws {
        try payload.withUnsafeBytes { try send(opcode, $0, isFinal: isFinal) }
        try flush()
    }

    func sendClose(code: UInt16, reason: String) throws {
        try send(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
    }
}
