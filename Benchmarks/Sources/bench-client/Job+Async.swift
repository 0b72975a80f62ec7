import WebSocketClient

/// The same work through the calls for `async` code.
extension Job {
    func sendAll(through socket: WebSocket) async throws {
        if sendsEach {
            for _ in 0..<count { try await send(through: socket) }
        } else {
            for start in stride(from: 0, to: count, by: batchLength) {
                try await socket.withBatch { batch in
                    for _ in start..<min(start + batchLength, count) {
                        try await batch.send(message)
                    }
                }
                if takesReceipts { try await socket.flush() }
            }
        }
        try check(isDone: await socket.receive())
    }

    func receiveAll(from socket: WebSocket) async throws {
        try await socket.send("go")
        if receivesOwned {
            for _ in 0..<count { try check(await socket.receive()) }
            return
        }
        var remaining = count
        try await socket.forEachMessage { _, bytes in
            try check(size: bytes.byteCount)
            remaining -= 1
            return remaining > 0
        }
    }

    /// Returns the time of each round trip in microseconds.
    func measureRoundTrips(through socket: WebSocket) async throws -> [Double] {
        var times: [Double] = []
        times.reserveCapacity(count)
        for _ in 0..<count {
            let start = Stopwatch.nanoseconds()
            try await send(through: socket)
            try check(await socket.receive())
            times.append(Double(Stopwatch.nanoseconds() - start) / 1e3)
        }
        return times
    }

    private func send(through socket: WebSocket) async throws {
        if takesReceipts {
            _ = try await socket.sendWithReceipt(message)
            return
        }
        switch message {
        case .text(let text): try await socket.send(text)
        case .binary(let bytes): try await socket.send(binary: bytes)
        }
    }
}
