import Glibc
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Socket streams", .blocking)
struct SocketStreamTests {
    @Test("Bytes arrive as they were sent")
    func transfer() throws {
        let (one, two) = try makeStreamPair()
        try one.writeAll([1, 2, 3], until: .ample)
        #expect(try two.readSome(until: .ample) == [1, 2, 3])
        #expect(!one.isSecure)
    }

    @Test("An empty buffer moves nothing and isn't the end of the stream")
    func emptyBuffer() throws {
        let (one, _) = try makeStreamPair()
        #expect(
            try one.read(into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) == .bytes(0)
        )
        #expect(try one.write(UnsafeRawBufferPointer(start: nil, count: 0)) == .bytes(0))
    }

    @Test("Reading from a silent peer would block, and waiting ends at the deadline")
    func silence() throws {
        let (one, two) = try makeStreamPair()
        var byte: UInt8 = 0
        let transfer = try withUnsafeMutableBytes(of: &byte) { try one.read(into: $0) }
        #expect(transfer == .wouldBlock(.read))
        let time = elapsed {
            #expect(throws: TransportError.timedOut(nil)) {
                try one.wait(for: .read, until: .after(.milliseconds(30)))
            }
        }
        #expect(time >= .milliseconds(30))
        withExtendedLifetime(two) {}
    }

    @Test("A deadline in the past still finds a stream that is ready")
    func pastDeadline() throws {
        let (one, two) = try makeStreamPair()
        try two.writeAll([7], until: .never)
        try one.wait(for: .read, until: .after(.zero))
        try one.wait(for: .write, until: .after(.seconds(-5)))
    }

    @Test("A full peer makes writing block, and nothing is lost on the way")
    func backPressure() throws {
        let (one, two) = try makeStreamPair()
        let bytes = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
        let reader = Background { try two.readExactly(bytes.count, until: .ample) }
        try one.writeAll(bytes, until: .ample)
        #expect(try reader.join() == bytes)
    }

    @Test("finishWriting ends the stream for the peer, and the other direction stays open")
    func halfClose() throws {
        let (one, two) = try makeStreamPair()
        one.finishWriting()
        #expect(try two.readSome(until: .ample) == nil)
        try two.writeAll([9], until: .ample)
        #expect(try one.readSome(until: .ample) == [9])
    }

    @Test("Writing to a peer that has gone is an error, not a signal")
    func brokenPipe() throws {
        let (one, two) = try makeDescriptorPair()
        close(two)
        let stream = SocketStream(
            try Socket(adopting: one),
            wakeUp: try WakeUp()
        )
        #expect(throws: TransportError.system(call: "send", .brokenPipe)) {
            try stream.writeAll([1], until: .never)
        }
    }

    @Test("abort ends all waits in all threads, now and later")
    func abort() throws {
        let (one, two) = try makeStreamPair()
        let waiters = (0..<3).map { _ in
            Background { () throws in try one.wait(for: .read, until: .never) }
        }
        usleep(20_000)
        one.abort()
        for waiter in waiters { #expect(throws: TransportError.aborted) { try waiter.join() } }
        #expect(throws: TransportError.aborted) { try one.wait(for: .write, until: .never) }
        #expect(throws: TransportError.aborted) { try one.readSome(until: .never) }
        #expect(throws: TransportError.aborted) { try one.writeAll([1], until: .never) }
        #expect(try two.readSome(until: .ample) == nil)
    }

    @Test("A signal doesn't end a wait, nor make it longer")
    func interruption() throws {
        signal(SIGUSR1) { _ in }
        let (one, two) = try makeStreamPair()
        let thread = Background { () throws -> Duration in
            try elapsed {
                do throws(TransportError) {
                    try one.wait(for: .read, until: .after(.milliseconds(200)))
                } catch .timedOut {}
            }
        }
        for _ in 0..<8 {
            usleep(10_000)
            thread.signal(SIGUSR1)
        }
        let time = try thread.join()
        #expect(time >= .milliseconds(200) && time < .ample)
        withExtendedLifetime(two) {}
    }

    private func readSoon(_ stream: any ByteStream) throws -> Transfer {
        var byte: UInt8 = 0
        return try withUnsafeMutableBytes(of: &byte) { try stream.readSoon(into: $0) }
    }

    @Test("A read that may wait gets bytes that arrive within a moment, and waits no longer")
    func moment() throws {
        let (one, two) = try makeStreamPair()
        var transfer = Transfer.bytes(0)
        let time = try elapsed { transfer = try readSoon(one) }
        #expect(transfer == .wouldBlock(.read))
        #expect(time >= Deadline.moment && time < .ample)
        try two.writeAll([1], until: .never)
        #expect(try readSoon(one) == .bytes(1))
        two.finishWriting()
        #expect(try readSoon(one) == .endOfStream)
    }

    @Test("abort ends a read that waits")
    func abortWhileReading() throws {
        let (one, two) = try makeStreamPair()
        let reader = Background { () throws in
            while case .wouldBlock = try readSoon(one) {}
        }
        usleep(5_000)
        one.abort()
        #expect(throws: TransportError.aborted) { try reader.join() }
        withExtendedLifetime(two) {}
    }

    @Test("On a socket whose reads may wait, no other call waits")
    func onlyReadsWait() throws {
        let (one, two) = try makeStreamPair()
        let bytes = [UInt8](repeating: 1, count: 1 << 16)
        var transfer = Transfer.bytes(0)
        while case .bytes = transfer {
            transfer = try bytes.withUnsafeBytes { try one.write($0) }
        }
        #expect(transfer == .wouldBlock(.write))
        withExtendedLifetime(two) {}
    }

    @Test("The descriptor is closed with the last reference, not before")
    func lifetime() throws {
        let (one, two) = try makeDescriptorPair()
        var stream: SocketStream? = SocketStream(
            try Socket(adopting: one),
            wakeUp: try WakeUp()
        )
        let kept = stream
        stream?.abort()
        stream = nil
        #expect(fcntl(one, F_GETFD) >= 0)
        withExtendedLifetime(kept) {}
        close(two)
    }

    @Test("Signalling the wake-up ends reads of a peer that never pauses")
    func abortedFlood() throws {
        let (near, far) = try makeDescriptorPair()
        let wakeUp = try WakeUp()
        let stream = SocketStream(try Socket(adopting: near), wakeUp: wakeUp)
        try SocketStream(try Socket(adopting: far), wakeUp: try WakeUp()).writeAll([1, 2, 3])
        #expect(try stream.readSome(1) == [1])
        wakeUp.signal()
        #expect(throws: TransportError.aborted) { try stream.readSome(1) }
    }

    @Test("writeAll and readSome end at the deadline, however fast the peer is")
    func strictDeadlines() throws {
        let (one, two) = try makeStreamPair()
        try two.writeAll([1])
        #expect(throws: TransportError.timedOut(nil)) {
            try one.readSome(atMost: 1, until: .after(.zero))
        }
        let slow = CountingStream(one, longestWrite: 1)
        #expect(throws: TransportError.timedOut(nil)) {
            try slow.writeAll([1, 2, 3], until: .after(.zero))
        }
        #expect(try two.readSome() == [1])
    }
}
