// measure-control-delay serve ADDRESS PORT
//     takes messages and answers pings until it is ended.
// measure-control-delay measure URL MEBIBYTES LIMIT
//     pings while a message is under way, without and with a maximum control delay of LIMIT ms. Fails if more than
//     one round trip in a thousand takes longer than the line itself at that time and LIMIT, or if the option makes
//     no difference.
//
// Tests/Steps/control-delay runs both in network namespaces with a slow line between them.
import Foundation
import LoopbackServer
import TestSupport
import WebSocketClient

func serve(_ address: String, _ port: UInt16) throws -> Never {
    let listener = try Listener(host: address, port: port)
    print("listening")
    fflush(nil)
    while true {
        let stream = try listener.accept(until: .never)
        Thread.detachNewThread {
            // Until the client leaves.
            _ = try? ServerConnection(accepting: stream, compression: nil).receiveAll()
        }
    }
}

extension ServerConnection {
    fileprivate func receiveAll() throws -> Never {
        while true {
            let piece = try nextPiece()
            if piece.opcode.isControl { try answer(piece) }
        }
    }
}

func connect(_ url: String, limit: Duration? = nil) throws -> WebSocket {
    var options = ConnectOptions(timeout: .seconds(600))
    options.proxy = .none
    options.maximumControlDelay = limit
    return try WebSocket.connect(to: url, options: options)
}

struct RoundTrip {
    let start: ContinuousClock.Instant
    let end: ContinuousClock.Instant

    var time: Duration { start.duration(to: end) }
}

/// Pings one after another.
func roundTrips(of socket: WebSocket, until isDone: () -> Bool) throws -> [RoundTrip] {
    var trips: [RoundTrip] = []
    while !isDone() {
        // At no fixed distance, so that no rhythm of the fragments hides anything.
        pause(.milliseconds(Int.random(in: 1...10)))
        let start = ContinuousClock.now
        try socket.ping("\(trips.count)")
        while try socket.receiveFrame().opcode != .pong {}
        trips.append(RoundTrip(start: start, end: .now))
    }
    return trips
}

/// The round trips beside a message of `size` bytes, and those of the line: of a connection that does nothing else,
/// and so waits only in the line's queue, and for the machine.
func roundTrips(
    _ url: String,
    size: Int,
    limit: Duration?
) throws -> (message: [RoundTrip], line: [RoundTrip]) {
    let socket = try connect(url, limit: limit)
    let probe = try connect(url)
    defer {
        socket.abort()
        probe.abort()
    }
    let isSent = Promise<Void>()
    let sender = Background {
        defer { isSent.fulfil() }
        return try socket.send(binary: [UInt8](repeating: 7, count: size))
    }
    let line = Background { try roundTrips(of: probe) { isSent.isFulfilled } }
    let message = try roundTrips(of: socket) { isSent.isFulfilled }
    _ = try sender.join()
    return (message, try line.join())
}

/// Times in order; `most` is what all but one in a thousand don't exceed.
struct Distribution: CustomStringConvertible {
    private let times: [Duration]

    init(_ times: [Duration]) throws {
        self.times = times.sorted()
        if times.isEmpty { throw SupportError("no ping was answered") }
    }

    /// p99.9 by the nearest rank: of a few times, the greatest.
    var most: Duration { times[(times.count * 999 + 999) / 1_000 - 1] }

    var description: String {
        let figures = [times[times.count / 2], most, times[times.count - 1]].map { time in
            String(format: "%.1f ms", time / .milliseconds(1))
        }
        return "\(times.count), median \(figures[0]), p99.9 \(figures[1]), greatest \(figures[2])"
    }
}

func measure(_ url: String, mebibytes: Int, limit: Duration) throws -> Bool {
    // Without a limit a few pings say it all, and each takes until the message's end.
    let unlimited = try roundTrips(url, size: min(mebibytes, 4) << 20, limit: nil)
    let limited = try roundTrips(url, size: mebibytes << 20, limit: limit)
    // The line's own delay is that of the same moment.
    let excess = limited.message.map { trip in
        let line = limited.line.filter { $0.end > trip.start && $0.start < trip.end }
        return trip.time - (line.map(\.time).max() ?? .zero)
    }
    let before = try Distribution(unlimited.message.map(\.time))
    let after = try Distribution(limited.message.map(\.time))
    let own = try Distribution(excess)
    print("round trips without a limit:", before)
    print("round trips with a limit of \(limit / .milliseconds(1)) ms:", after)
    print("of the line itself:", try Distribution(limited.line.map(\.time)))
    print("more than the line's at the same time:", own)
    return own.most <= limit && before.most > own.most * 4
}

let words = CommandLine.arguments.dropFirst()
switch (words.first, words.count) {
case ("serve", 3):
    guard let port = UInt16(words[3]) else { fatalError("not a port: \(words[3])") }
    try serve(words[2], port)
case ("measure", 4):
    guard let size = Int(words[3]), let limit = Int(words[4]) else {
        fatalError("not numbers: \(words[3]) \(words[4])")
    }
    let isKept = try measure(words[2], mebibytes: size, limit: .milliseconds(limit))
    print(isKept ? "1 passed, 0 failed" : "0 passed, 1 failed")
    exit(isKept ? 0 : 1)
default: fatalError("measure-control-delay serve ADDRESS PORT | measure URL MEBIBYTES LIMIT")
}
