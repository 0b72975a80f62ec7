import LoopbackServer
import TestSupport
import WebSocketClient
import WebSocketProtocol

/// The escape character.
let escape = "\u{1B}"
let eraseLine = "\r\(escape)[K"

/// The prompt on the screen, with a line and the cursor in one of its columns.
func prompt(_ line: String = "", cursor: Int? = nil) -> String {
    "\(eraseLine)> \(line)\r\(escape)[\(2 + (cursor ?? line.count))C"
}

/// A received message on the screen, with the prompt after it.
func received(_ text: String, line: String = "") -> String {
    "\(eraseLine)\(escape)[34m< \(text)\(escape)[39m\r\n\(prompt(line))"
}

extension RunningProgram {
    /// Starts the wsdump that was built with the tests.
    static func wsdump(
        _ arguments: String...,
        on wiring: Wiring = .pipes,
        environment: [String: String] = [:]
    ) throws -> RunningProgram {
        try wsdump(arguments, on: wiring, environment: environment)
    }

    static func wsdump(
        _ arguments: [String],
        on wiring: Wiring = .pipes,
        environment: [String: String] = [:]
    ) throws -> RunningProgram {
        var environment = environment
        for name in ["http_proxy", "https_proxy", "all_proxy"] where environment[name] == nil {
            environment[name] = ""
            environment[name.uppercased()] = ""
        }
        return try RunningProgram(built("wsdump"), arguments, on: wiring, environment: environment)
    }

    /// Takes the output up to the first prompt.
    func expectStart() throws {
        try output.expect("Press Ctrl+C to quit\r\n\(prompt())")
    }

    /// Ends it as a user does, and returns the exit status.
    func end() throws -> Int32 {
        try type("\u{03}")
        return try waitForExit()
    }
}

extension ServerConnection {
    func send(_ opcode: Opcode, _ payload: [UInt8], isFinal: Bool = true) throws {
        try payload.withUnsafeBytes { try send(opcode, $0, isFinal: isFinal) }
        try flush()
    }

    func sendClose(code: UInt16, reason: String = "") throws {
        try send(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
        _ = try receiveClose()
    }
}
