import Foundation
import Glibc
import LoopbackServer
import WebSocketAccel
import WebSocketClient

// bulk-send check TYPE FILE SIZE               sends the file once to a server in this process that
//                                              compares every byte
// bulk-send discard TYPE FILE SIZE BYTES       sends into a stream that drops the bytes
// bulk-send send URL TYPE FILE SIZE BYTES      sends to a server that counts messages and bytes
// bulk-send receive URL TYPE FILE SIZE BYTES   receives from a server, text checked, every byte
//                                              compared in the first pass
//
// TYPE is text or binary; FILE is cut into messages of about SIZE bytes, again and again from its start
// until BYTES have gone. Prints a line of JSON with the seconds, and the thread's processor time in
// user code and in the kernel.

struct Job {
    let url: String
    let isText: Bool
    let file: [UInt8]
    let messages: [Range<Int>]
    let passes: Int

    var count: Int { messages.count * passes }
    var bytes: Int { file.count * passes }

    init?(_ arguments: ArraySlice<String>, url: String = "") {
        let words = Array(arguments)
        guard words.count >= 3, let size = Int(words[2]), size > 3,
            let data = FileManager.default.contents(atPath: words[1]), !data.isEmpty
        else { return nil }
        self.url = url
        isText = words[0] == "text"
        file = [UInt8](data)
        messages = Self.split(file, size: size, isText: isText)
        let bytes = words.count > 3 ? Int(words[3]) ?? 0 : file.count
        passes = max(1, (bytes + file.count - 1) / file.count)
    }

    /// Cuts a file into messages of at most `size` bytes; a text message ends with a whole code point.
    private static func split(_ file: [UInt8], size: Int, isText: Bool) -> [Range<Int>] {
        var messages: [Range<Int>] = []
        var start = 0
        while start < file.count {
            var end = min(start + size, file.count)
            while isText, end < file.count, file[end] & 0xC0 == 0x80 { end -= 1 }
            messages.append(start..<end)
            start = end
        }
        return messages
    }

    func send(through socket: WebSocket) throws {
        for _ in 0..<passes {
            try socket.withBatch { batch in
                let span = file.span.bytes
                for range in messages {
                    if isText {
                        try batch.send(text: span.extracting(range))
                    } else {
                        try batch.send(binary: span.extracting(range))
                    }
                }
            }
        }
    }

    /// Takes what the server sends: the file's first `size` bytes, again and again.
    func receive(from socket: WebSocket, count: Int) throws {
        try socket.send("go")
        var remaining = count
        let expected = file.span.bytes.extracting(messages[0])
        let opcode: Opcode = isText ? .text : .binary
        try socket.forEachMessage { got, bytes in
            guard got == opcode, bytes.byteCount == expected.byteCount else {
                throw WebSocketError.invalidArgument("The server sent another message.")
            }
            if remaining == count {
                let isSame = bytes.withUnsafeBytes { a in
                    expected.withUnsafeBytes { b in a.elementsEqual(b) }
                }
                guard isSame else {
                    throw WebSocketError.invalidArgument("The server sent other bytes.")
                }
            }
            remaining -= 1
            return remaining > 0
        }
    }
}

/// What one thread has used.
struct Usage {
    let seconds: Double
    let user: Double
    let system: Double

    static func now() -> Usage {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        var usage = rusage()
        // RUSAGE_THREAD, which Glibc shows only to those who ask for GNU's extensions.
        getrusage(__rusage_who_t(1), &usage)
        return Usage(
            seconds: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9,
            user: Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6,
            system: Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
        )
    }

    static func measuring(_ body: () throws -> Void) rethrows -> Usage {
        let start = now()
        try body()
        let end = now()
        return Usage(
            seconds: end.seconds - start.seconds,
            user: end.user - start.user,
            system: end.system - start.system
        )
    }
}

func connect(_ url: String) throws -> WebSocket {
    var options = ConnectOptions()
    options.proxy = .none
    options.limits.maximumFrameBytes = 1 << 30
    options.limits.maximumMessageBytes = 1 << 30
    return try WebSocket.connect(to: url, options: options)
}

func waitUntilDone(_ socket: WebSocket) throws {
    guard case .text(let verdict) = try socket.receive(), verdict.hasPrefix("done") else {
        throw WebSocketError.invalidArgument("The server did not receive what was sent.")
    }
}

func run(_ mode: String, _ arguments: ArraySlice<String>) throws -> (Job, Usage)? {
    switch mode {
    case "check":
        guard let job = Job(arguments) else { return nil }
        let server = try LoopbackServer(expected: job.file)
        let socket = try connect(server.url("/sink?count=\(job.count)"))
        let usage = try Usage.measuring {
            try job.send(through: socket)
            try waitUntilDone(socket)
        }
        try socket.close()
        server.stop()
        return (job, usage)
    case "discard":
        guard let job = Job(arguments) else { return nil }
        let socket = try WebSocket.discarding()
        defer { socket.abort() }
        return (job, try Usage.measuring { try job.send(through: socket) })
    case "send":
        guard let url = arguments.first, let job = Job(arguments.dropFirst(), url: url) else {
            return nil
        }
        let socket = try connect("\(url)/sink?count=\(job.count)&size=0&bytes=\(job.bytes)")
        let usage = try Usage.measuring {
            try job.send(through: socket)
            try waitUntilDone(socket)
        }
        try socket.close()
        return (job, usage)
    case "receive":
        guard let url = arguments.first, let job = Job(arguments.dropFirst(), url: url) else {
            return nil
        }
        let size = job.messages[0].count
        let count = job.bytes / size
        let type = job.isText ? "text" : "binary"
        let socket = try connect("\(url)/source?count=\(count)&size=\(size)&type=\(type)")
        let usage = try Usage.measuring { try job.receive(from: socket, count: count) }
        try socket.close()
        return (job, usage)
    default:
        return nil
    }
}

guard CommandLine.arguments.count > 4,
    let (job, usage) = try run(CommandLine.arguments[1], CommandLine.arguments.dropFirst(2))
else {
    print("usage: bulk-send check|discard|send|receive [URL] text|binary FILE SIZE [BYTES]")
    exit(2)
}
print(
    """
    {"kernels":"\(Accel.backend)","bytes":\(job.bytes),"messages":\(job.count),\
    "seconds":\(usage.seconds),"user":\(usage.user),"system":\(usage.system)}
    """
)
