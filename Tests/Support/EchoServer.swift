package import WebSocketClient

/// An echo server with a thread for each connection; it ends with the object.
package final class EchoServer: Sendable {
    private let listener: Listener
    private let accepting: Background<Void>

    package var port: UInt16 { listener.port }

    /// Listens on a free port; with `tls`, each connection begins with a handshake.
    package init(host: String = "127.0.0.1", tls: TLSServer? = nil) throws {
        let listener = try Listener(host: host)
        self.listener = listener
        accepting = Background {
            while let stream = try? listener.accept(until: .never) {
                // A client that breaks off doesn't matter.
                try? Threads.start { try? EchoServer.serve(stream, tls) }
            }
        }
    }

    deinit {
        listener.close()
        try? accepting.join()
    }

    private static func serve(_ stream: any ByteStream, _ tls: TLSServer?) throws {
        let deadline = Deadline.ample
        let stream: any ByteStream = try tls?.accept(over: stream, until: deadline) ?? stream
        while let bytes = try stream.readSome(until: deadline) {
            try stream.writeAll(bytes, until: deadline)
        }
        stream.finishWriting()
    }
}

extension ByteStream {
    /// Sends bytes to an echo and says whether they come back.
    package func echoes(_ count: Int = 100_000) throws -> Bool {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let deadline = Deadline.ample
        let reader = Background { try self.readExactly(count, until: deadline) }
        try writeAll(bytes, until: deadline)
        return try reader.join() == bytes
    }
}
