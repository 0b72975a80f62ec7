import LoopbackServer
import Synchronization
import TestSupport
import WebSocketClient

/// Receives from a peer that sends as fast as it can, and pauses again and again: the peer has to wait,
/// and memory stays flat. The peer is in this process, so its memory counts too.
func consumeSlowly(megabytes: Int) async throws {
    let size = 64 << 10
    let total = megabytes * 16
    let written = Atomic<Int>(0)
    let server = try LoopbackServer { connection in
        for number in 0..<total {
            try connection.send(binary: numbered(number, size: size))
            try connection.flush()
            written.add(1, ordering: .relaxed)
        }
        while true { _ = try connection.receive() }
    }
    defer { server.stop() }
    let socket = try await WebSocket.connect(to: server.url(), options: localOptions())
    var (received, lead, before, most) = (0, 0, 0, 0)
    for try await message in socket.messages {
        try require(number(message.bytes) == received, "message \(received) was lost or damaged")
        received += 1
        if received.isMultiple(of: 64) {
            try await Task.sleep(for: .milliseconds(1))
            lead = max(lead, written.load(ordering: .relaxed) - received)
            let resident = ProcessStatus.figure("VmRSS")
            if before == 0, received >= total / 8 { before = resident }
            most = max(most, resident)
        }
        if received == total { break }
    }
    try await socket.close()
    let growth = most - before
    try require(growth < 24 << 20, "resident memory has grown by \(growth) bytes")
    try require(lead * size < 64 << 20, "the peer was \(lead) messages ahead")
    print(
        "ok     \(megabytes) MB from a fast peer: resident \(most >> 10) KiB at most, "
            + "\(growth >> 10) KiB above the beginning; the peer was \(lead * size >> 10) KiB ahead at most"
    )
}
