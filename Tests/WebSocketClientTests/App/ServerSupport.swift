import Glibc
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

/// How many descriptors this process has open.
func openDescriptors() -> Int { entries(of: "/proc/self/fd") }

/// How many threads this process has.
func runningThreads() -> Int { entries(of: "/proc/self/task") }

private func entries(of path: String) -> Int {
    guard let directory = opendir(path) else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count - 2
}
