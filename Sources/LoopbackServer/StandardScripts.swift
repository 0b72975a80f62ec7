import WebSocketClient
import WebSocketProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// The server's own routes: echo, sink and source.
struct StandardScripts {
    let expected: [UInt8]

    func run(_ connection: ServerConnection) throws {
        let request = Request(connection.target)
        switch request.path {
        case "/sink": try sink(connection, count: request.number("count"))
        case "/source": try source(connection, request)
        default: try echo(connection)
        }
        while true { _ = try connection.receive() }
    }

    private func echo(_ connection: ServerConnection) throws {
        while true {
            let (opcode, payload) = try connection.receive()
            try payload.withUnsafeBytes { try connection.sendMessage(opcode, $0) }
        }
    }

    private func sink(_ connection: ServerConnection, count: Int) throws {
        var messages = 0
        var bytes = 0
        var isEqual = true
        while messages < count {
            if connection.isCompressing {
                let (_, payload) = try connection.receive()
                if isEqual, !expected.isEmpty {
                    isEqual = payload.withUnsafeBytes { matches($0, at: bytes) }
                }
                bytes += payload.count
                messages += 1
                continue
            }
            let piece = try connection.nextPiece()
            if piece.opcode.isControl {
                try connection.answer(piece)
                continue
            }
            if isEqual, !expected.isEmpty {
                isEqual = matches(UnsafeRawBufferPointer(piece.bytes), at: bytes)
            }
            bytes += piece.bytes.count
            if piece.endsFrame, piece.isFinal { messages += 1 }
        }
        let verdict = isEqual ? "done" : "failed: the bytes differ;"
        try connection.send(text: "\(verdict) \(messages) messages, \(bytes) bytes")
    }

    /// Compares a piece with what is expected at this place of the stream.
    private func matches(_ piece: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        expected.withUnsafeBytes { expected in
            var piece = piece
            var position = offset % expected.count
            while !piece.isEmpty {
                let part = UnsafeRawBufferPointer(
                    rebasing: expected[position...].prefix(piece.count)
                )
                guard let left = part.baseAddress, let right = piece.baseAddress,
                    memcmp(left, right, part.count) == 0
                else { return false }
                piece = UnsafeRawBufferPointer(rebasing: piece.dropFirst(part.count))
                position = 0
            }
            return true
        }
    }

    private func source(_ connection: ServerConnection, _ request: Request) throws {
        let size = request.number("size")
        let isText = request.value("type") == "text"
        let payload = (0..<size).map { UInt8(isText ? 0x61 + $0 % 26 : $0 & 0xFF) }
        _ = try connection.receive()
        try payload.withUnsafeBytes { bytes in
            for _ in 0..<request.number("count") {
                try connection.sendMessage(isText ? .text : .binary, bytes)
            }
        }
        try connection.flush()
    }
}

/// The path and query of a request line.
private struct Request {
    let path: Substring
    private let query: [Substring]

    init(_ target: String) {
        let parts = target.split(separator: "?", maxSplits: 1)
        path = parts.first ?? "/"
        query = parts.count > 1 ? parts[1].split(separator: "&") : []
    }

    func value(_ name: String) -> Substring? {
        query.first { $0.hasPrefix(name + "=") }?.dropFirst(name.count + 1)
    }

    func number(_ name: String) -> Int {
        max(0, value(name).flatMap { Int($0) } ?? 0)
    }
}
