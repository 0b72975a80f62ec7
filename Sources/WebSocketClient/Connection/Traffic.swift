import Synchronization
import WebSocketProtocol

/// The counters of one connection, which outlive it.
///
/// The thread that holds a turn counts in plain variables. It publishes the sums of what it has sent when
/// it leaves the turn, and of what it has received before it reads from the socket.
final class Traffic: Sendable {
    private struct AwaitedPong {
        var payload: [UInt8]
        var since: ContinuousClock.Instant
    }

    let sent = PublishedTally()
    let received = PublishedTally()
    /// How often a sender found the stream full.
    let sendWaits = Atomic<Int>(0)
    private let awaitedPong = Locked<AwaitedPong?>(nil)
    /// In nanoseconds; negative before the first one.
    private let roundTrip = Atomic<Int64>(-1)

    func pingLeaves(_ payload: [UInt8]) {
        let now = ContinuousClock.now
        awaitedPong.withLock { awaited in
            // Of pings with equal payloads, the oldest is answered first.
            if awaited?.payload != payload { awaited = AwaitedPong(payload: payload, since: now) }
        }
    }

    func pongArrived(_ payload: UnsafeRawBufferPointer) {
        let now = ContinuousClock.now
        awaitedPong.withLock { awaited in
            guard let ping = awaited, ping.payload.elementsEqual(payload) else { return }
            let nanoseconds = Int64(ping.since.duration(to: now) / .nanoseconds(1))
            roundTrip.store(nanoseconds, ordering: .relaxed)
            awaited = nil
        }
    }

    var statistics: WebSocketStatistics {
        let nanoseconds = roundTrip.load(ordering: .relaxed)
        return WebSocketStatistics(
            sent: WebSocketStatistics.Direction(sent.tally),
            received: WebSocketStatistics.Direction(received.tally),
            sendWaits: sendWaits.load(ordering: .relaxed),
            lastRoundTrip: nanoseconds < 0 ? nil : .nanoseconds(nanoseconds)
        )
    }
}

/// Sums that one thread at a time stores and any thread reads, as a consistent snapshot.
///
/// A sequence lock: the number is odd while sums are being stored, and a reader that saw it odd, or changed,
/// reads again. Every sum is stored with release ordering, behind the odd number, and loaded with acquire
/// ordering, before the number is looked at again; so a reader that meets a new sum meets the new number.
/// On x86-64 all of it is plain moves, on arm64 STLR and LDAR.
struct PublishedTally: ~Copyable, Sendable {
    private let version = Atomic<UInt>(0)
    private let messages = Atomic<Int>(0)
    private let otherFrames = Atomic<Int>(0)
    private let payloadBytes = Atomic<Int>(0)
    private let wireBytes = Atomic<Int>(0)
    private let pings = Atomic<Int>(0)
    private let pongs = Atomic<Int>(0)
    private let uncompressedBytes = Atomic<Int>(0)
    private let compressedBytes = Atomic<Int>(0)

    /// In turn only.
    func publish(_ tally: FrameTally) {
        let former = version.load(ordering: .relaxed)
        version.store(former &+ 1, ordering: .relaxed)
        messages.store(tally.messages, ordering: .releasing)
        otherFrames.store(tally.otherFrames, ordering: .releasing)
        payloadBytes.store(tally.payloadBytes, ordering: .releasing)
        wireBytes.store(tally.wireBytes, ordering: .releasing)
        pings.store(tally.pings, ordering: .releasing)
        pongs.store(tally.pongs, ordering: .releasing)
        uncompressedBytes.store(tally.uncompressedBytes, ordering: .releasing)
        compressedBytes.store(tally.compressedBytes, ordering: .releasing)
        version.store(former &+ 2, ordering: .releasing)
    }

    var tally: FrameTally {
        while true {
            let before = version.load(ordering: .acquiring)
            let tally = load()
            if before & 1 == 0, version.load(ordering: .relaxed) == before { return tally }
            // The writer has only a few stores to go, unless the system has preempted it.
            Threads.pause(.microseconds(1))
        }
    }

    private func load() -> FrameTally {
        var tally = FrameTally()
        tally.messages = messages.load(ordering: .acquiring)
        tally.otherFrames = otherFrames.load(ordering: .acquiring)
        tally.payloadBytes = payloadBytes.load(ordering: .acquiring)
        tally.wireBytes = wireBytes.load(ordering: .acquiring)
        tally.pings = pings.load(ordering: .acquiring)
        tally.pongs = pongs.load(ordering: .acquiring)
        tally.uncompressedBytes = uncompressedBytes.load(ordering: .acquiring)
        tally.compressedBytes = compressedBytes.load(ordering: .acquiring)
        return tally
    }
}
