import Testing
import WebSocketProtocol

/// A table of events and of the connection's reactions.
@Suite("The life of a connection, RFC 6455 §5.5 and §7")
struct ConnectionLifeTests {
    private typealias Life = ConnectionLife

    private static let bye = ClosePayload(code: .goingAway, reason: "bye")
    private static let violation = ProtocolViolation(.reservedBits)

    /// An event that owns its bytes, so that it can be in a table.
    enum Happening: Sendable {
        case ping, pong, endOfStream, lost, deadlinePassed, aborted
        case close([UInt8])
        case taken(ClosePayload)
        case violation(ProtocolViolation)
        case requested(ClosePayload)
        case sent(ClosePayload)
    }

    /// The answer to an event, and what is awaited afterwards.
    struct Row: Sendable {
        var happening: Happening
        var answer: ConnectionLife.Answer
        var awaited: ConnectionLife.Awaited

        init(
            _ happening: Happening,
            _ answer: ConnectionLife.Answer,
            _ awaited: ConnectionLife.Awaited
        ) {
            self.happening = happening
            self.answer = answer
            self.awaited = awaited
        }

        /// An event that isn't answered.
        init(_ happening: Happening, _ awaited: ConnectionLife.Awaited) {
            self.init(happening, .nothing, awaited)
        }
    }

    struct Story: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var role = Role.client
        var rows: [Row]
        var ending: ConnectionLife.Ending?
    }

    private static func handle(_ happening: Happening, _ life: inout Life) -> Life.Answer {
        switch happening {
        case .ping: life.handle(.ping)
        case .pong: life.handle(.pong)
        case .endOfStream: life.handle(.endOfStream)
        case .lost: life.handle(.lost(cause: "reset"))
        case .deadlinePassed: life.handle(.deadlinePassed)
        case .aborted: life.handle(.aborted)
        case .close(let bytes): bytes.withUnsafeBytes { life.handle(.close($0)) }
        case .taken(let payload): life.handle(.closeTaken(payload))
        case .violation(let violation): life.handle(.violation(violation))
        case .requested(let payload): life.handle(.closeRequested(payload))
        case .sent(let payload): life.handle(.closeSent(payload))
        }
    }

    private static let echo = ClosePayload(code: .goingAway)
    private static let protocolError = ClosePayload(code: .protocolError)
    private static let normal = ClosePayload(code: .normalClosure)

    private static func closed(
        received: ClosePayload? = nil,
        sent: ClosePayload? = nil,
        cause: String? = nil
    ) -> Life.Ending {
        .closed(ConnectionEnd(received: received, sent: sent, cause: cause))
    }

    static let stories = [
        Story(
            testDescription: "a ping is answered, a pong isn't",
            rows: [Row(.ping, .pong, .frames), Row(.pong, .frames)]
        ),
        Story(
            testDescription: "the peer closes: its code is echoed, and it ends the stream",
            rows: [
                Row(.close(bye.encoded), .close(echo), .endOfStream),
                Row(.sent(echo), .endOfStream),
                Row(.endOfStream, .nothing),
            ],
            ending: closed(received: bye, sent: echo)
        ),
        Story(
            testDescription: "an empty close frame is echoed empty",
            rows: [
                Row(.close([]), .close(ClosePayload(code: nil)), .endOfStream),
                Row(.sent(ClosePayload(code: nil)), .endOfStream),
                Row(.endOfStream, .nothing),
            ],
            ending: closed(received: ClosePayload(code: nil), sent: ClosePayload(code: nil))
        ),
        Story(
            testDescription: "a server ends the stream once both close frames have gone",
            role: .server,
            rows: [
                Row(.close(bye.encoded), .close(echo), .endOfStream), Row(.sent(echo), .nothing),
            ],
            ending: closed(received: bye, sent: echo)
        ),
        Story(
            testDescription: "a server that closed first ends with the answer",
            role: .server,
            rows: [
                Row(.requested(normal), .close(normal), .frames), Row(.sent(normal), .frames),
                Row(.close(bye.encoded), .nothing),
            ],
            ending: closed(received: bye, sent: normal)
        ),
        Story(
            testDescription: "after the peer's close frame nothing counts",
            rows: [
                Row(.close(bye.encoded), .close(echo), .endOfStream),
                Row(.sent(echo), .endOfStream),
                Row(.ping, .endOfStream),
                Row(.close(normal.encoded), .endOfStream),
                Row(.violation(violation), .endOfStream),
                Row(.lost, .nothing),
            ],
            ending: closed(received: bye, sent: echo)
        ),
        Story(
            testDescription: "this end closes: frames are received until the peer's close frame",
            rows: [
                Row(.requested(normal), .close(normal), .frames), Row(.sent(normal), .frames),
                Row(.ping, .frames), Row(.requested(bye), .frames),
                Row(.close(bye.encoded), .endOfStream), Row(.endOfStream, .nothing),
            ],
            ending: closed(received: bye, sent: normal)
        ),
        Story(
            testDescription: "both ends close at once: neither answers the other",
            rows: [
                Row(.sent(normal), .frames), Row(.close(bye.encoded), .endOfStream),
                Row(.endOfStream, .nothing),
            ],
            ending: closed(received: bye, sent: normal)
        ),
        Story(
            testDescription: "the peer never answers this end's close frame",
            rows: [
                Row(.requested(normal), .close(normal), .frames), Row(.sent(normal), .frames),
                Row(.deadlinePassed, .nothing),
            ],
            ending: closed(sent: normal, cause: "closing timed out")
        ),
        Story(
            testDescription: "the peer closes and never ends the stream",
            rows: [
                Row(.close(bye.encoded), .close(echo), .endOfStream),
                Row(.sent(echo), .endOfStream),
                Row(.deadlinePassed, .nothing),
            ],
            ending: closed(received: bye, sent: echo)
        ),
        Story(
            testDescription: "a close frame that couldn't be sent isn't reported as sent",
            rows: [
                Row(.requested(normal), .close(normal), .frames), Row(.deadlinePassed, .nothing),
            ],
            ending: closed(cause: "closing timed out")
        ),
        Story(
            testDescription:
                "a violation is reported to the peer, and nothing is processed after it",
            rows: [
                Row(.violation(violation), .close(protocolError), .endOfStream),
                Row(.sent(protocolError), .endOfStream), Row(.close(bye.encoded), .endOfStream),
                Row(.ping, .endOfStream), Row(.requested(normal), .endOfStream),
                Row(.endOfStream, .nothing),
            ],
            ending: .violation(violation)
        ),
        Story(
            testDescription:
                "a violation after this end's close frame can't be reported to the peer",
            rows: [
                Row(.sent(normal), .frames), Row(.violation(violation), .endOfStream),
                Row(.lost, .nothing),
            ],
            ending: .violation(violation)
        ),
        Story(
            testDescription: "a server fails a connection and ends the stream",
            role: .server,
            rows: [
                Row(.violation(violation), .close(protocolError), .endOfStream),
                Row(.sent(protocolError), .nothing),
            ],
            ending: .violation(violation)
        ),
        Story(
            testDescription: "a malformed close frame is a violation",
            rows: [
                Row(.close([3]), .close(protocolError), .endOfStream),
                Row(.sent(protocolError), .endOfStream), Row(.endOfStream, .nothing),
            ],
            ending: .violation(ProtocolViolation(.closePayloadOfOneByte))
        ),
        Story(
            testDescription: "a code that may not be sent is a violation",
            rows: [
                Row(.close([3, 0xED]), .close(protocolError), .endOfStream),
                Row(.deadlinePassed, .nothing),
            ],
            ending: .violation(ProtocolViolation(.closeCode(.noStatusReceived)))
        ),
        Story(
            testDescription: "a reason that isn't UTF-8 is a violation with its own code",
            rows: [
                Row(
                    .close([3, 0xE8, 0x61, 0xFF]),
                    .close(ClosePayload(code: .invalidPayload)),
                    .endOfStream
                ),
                Row(.lost, .nothing),
            ],
            ending: .violation(ProtocolViolation(.invalidUTF8(offset: 1)))
        ),
        Story(
            testDescription: "a caller that reads single frames answers the close frame",
            rows: [
                Row(.taken(bye), .frames), Row(.requested(normal), .close(normal), .frames),
                Row(.sent(normal), .endOfStream), Row(.endOfStream, .nothing),
            ],
            ending: closed(received: bye, sent: normal)
        ),
        Story(
            testDescription:
                "a close frame read as a single frame can still be answered for the caller",
            rows: [
                Row(.taken(bye), .frames), Row(.close(bye.encoded), .close(echo), .endOfStream),
                Row(.sent(echo), .endOfStream), Row(.endOfStream, .nothing),
            ],
            ending: closed(received: bye, sent: echo)
        ),
        Story(
            testDescription: "the stream ends without a close frame",
            rows: [Row(.endOfStream, .nothing)],
            ending: closed(cause: "the peer ended it without a close frame")
        ),
        Story(
            testDescription: "the stream is lost",
            rows: [Row(.lost, .nothing)],
            ending: closed(cause: "reset")
        ),
        Story(
            testDescription: "the first end is final",
            rows: [
                Row(.aborted, .nothing), Row(.ping, .nothing), Row(.close(bye.encoded), .nothing),
                Row(.violation(violation), .nothing), Row(.requested(normal), .nothing),
                Row(.endOfStream, .nothing), Row(.deadlinePassed, .nothing),
            ],
            ending: .aborted
        ),
        Story(
            testDescription: "giving up in the middle of closing is reported",
            rows: [
                Row(.close(bye.encoded), .close(echo), .endOfStream), Row(.aborted, .nothing),
                Row(.endOfStream, .nothing),
            ],
            ending: .aborted
        ),
    ]

    @Test("Each event has the right answer, and each story the right end", arguments: stories)
    func story(story: Story) {
        var life = Life(role: story.role)
        for (number, row) in story.rows.enumerated() {
            let answer = Self.handle(row.happening, &life)
            #expect(answer == row.answer, "event \(number): \(row.happening)")
            let awaited = life.awaited
            #expect(awaited == row.awaited, "event \(number): \(row.happening)")
        }
        let ending = life.ending
        #expect(ending == story.ending)
    }
}
