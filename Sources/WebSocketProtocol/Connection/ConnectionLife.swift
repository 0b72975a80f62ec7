// Rules (RFC 6455):
//
// Control frames
//  1. A ping is answered with a pong that repeats its payload, unless a close frame has gone in either
//     direction (§5.5.2).
//  2. A pong is not answered, asked for or not (§5.5.3).
//
// Closing
//  3. Each end sends one close frame, and nothing after it (§5.5.1).
//  4. A close frame is answered with a close frame that repeats its code, without the reason, unless
//     this end has sent one (§5.5.1: "the endpoint typically echos the status code it received").
//  5. An end that has sent a close frame goes on receiving: the peer's messages may still arrive before
//     its close frame (§1.4, §7.1.2).
//  6. Anything that arrives after the peer's close frame is dropped (§1.4).
//  7. Once both close frames have gone, the server ends the stream at once. The client waits for that,
//     but only until its deadline (§7.1.1).
//
// Failing
//  8. A peer that broke a rule gets a close frame with the violation's code, unless this end has
//     sent one. Nothing more of what it sends is processed, a close frame included (§7.1.7). The rest is
//     as in rule 7.
//  9. A close frame with a malformed payload, or a code that may not be sent, is a violation (§5.5.1, §7.4).
//
// The end
// 10. The peer's close frame or a violation decides how the connection ended; how the stream ended
//     afterwards changes nothing. Without either, the connection ended abnormally, whatever this end
//     has sent: code 1006 (§7.1.5).
// 11. The first end is final: nothing that happens after it is answered or changes it.

/// The life of an open connection at either end: what its control frames, violations and losses mean,
/// how they are answered, and how it ended.
///
/// It does no I/O and reads no clock. Its driver reports events, sends the answers, receives what is
/// ``awaited``, and sets a deadline for the closing handshake.
package struct ConnectionLife: ~Copyable, Sendable {
    /// An event in the life of a connection.
    package enum Event {
        case ping
        case pong
        /// A close frame arrived, with this payload.
        case close(UnsafeRawBufferPointer)
        /// A close frame arrived, which a caller that reads single frames will answer.
        case closeTaken(ClosePayload)
        /// The peer broke a rule.
        case violation(ProtocolViolation)
        /// This end wants to close.
        case closeRequested(ClosePayload)
        /// This end's close frame is on its way: nothing more can be sent.
        case closeSent(ClosePayload)
        /// The peer ended the stream.
        case endOfStream
        /// The stream failed.
        case lost(cause: String)
        /// The deadline of the closing handshake has passed.
        case deadlinePassed
        /// This end gave up the connection.
        case aborted
    }

    /// The frame to send in answer to an event.
    package enum Answer: Sendable, Hashable {
        case nothing
        /// A pong with the ping's payload.
        case pong
        /// A close frame; report `closeSent` once it can't be overtaken any more.
        case close(ClosePayload)
    }

    /// What is left to receive.
    package enum Awaited: UInt8, Sendable {
        /// Frames: messages, and the peer's close frame.
        case frames
        /// The end of the stream; anything that arrives is dropped.
        case endOfStream
        /// Nothing: the connection has ended, and so should the stream.
        case nothing
    }

    /// The way a connection has ended.
    package enum Ending: Sendable, Hashable {
        /// With the peer's close frame, or with its loss.
        case closed(ConnectionEnd)
        /// The peer broke a rule.
        case violation(ProtocolViolation)
        /// This end gave up the connection.
        case aborted
    }

    private let role: Role
    private var violation: ProtocolViolation?
    /// Whether a caller that reads single frames is answering the peer's close frame.
    private var isCloseTaken = false

    /// This end's close frame, once it is on its way.
    package private(set) var closeSent: ClosePayload?
    /// The peer's close frame, once it has arrived.
    package private(set) var closeReceived: ClosePayload?
    /// How the connection ended, once it has.
    package private(set) var ending: Ending?

    /// Begins the life of a connection, after the opening handshake.
    package init(role: Role) {
        self.role = role
    }

    /// What is left to receive now.
    package var awaited: Awaited {
        if ending != nil { return .nothing }
        if violation != nil { return .endOfStream }
        guard closeReceived != nil else { return .frames }
        return isCloseTaken && closeSent == nil ? .frames : .endOfStream
    }

    /// The connection's state, described as an end; `cause` says why there was no closing handshake,
    /// and is ignored if the peer's close frame came.
    package func end(cause: String? = nil) -> ConnectionEnd {
        ConnectionEnd(
            received: closeReceived,
            sent: closeSent,
            cause: closeReceived == nil ? cause : nil
        )
    }

    /// Processes an event; returns the answer to send.
    package mutating func handle(_ event: Event) -> Answer {
        guard ending == nil else { return .nothing }
        switch event {
        case .ping: return closeSent == nil && awaited == .frames ? .pong : .nothing
        case .pong: return .nothing
        case .close(let payload): return received(payload)
        case .closeTaken(let payload):
            guard closeReceived == nil else { return .nothing }
            closeReceived = payload
            isCloseTaken = true
            endAsServer()
            return .nothing
        case .violation(let violation): return failed(violation)
        case .closeRequested(let payload):
            return closeSent == nil && violation == nil ? .close(payload) : .nothing
        case .closeSent(let payload):
            closeSent = closeSent ?? payload
            endAsServer()
            return .nothing
        case .endOfStream: finish(cause: "the peer ended it without a close frame")
        case .lost(let cause): finish(cause: cause)
        case .deadlinePassed: finish(cause: "closing timed out")
        case .aborted: ending = .aborted
        }
        return .nothing
    }

    private mutating func received(_ payload: UnsafeRawBufferPointer) -> Answer {
        guard awaited == .frames else { return .nothing }
        do throws(ProtocolViolation) {
            closeReceived = try ClosePayload(decoding: payload)
        } catch {
            return failed(error)
        }
        isCloseTaken = false
        endAsServer()
        return closeSent == nil ? .close(ClosePayload(code: closeReceived?.code)) : .nothing
    }

    private mutating func failed(_ violation: ProtocolViolation) -> Answer {
        guard awaited == .frames else { return .nothing }
        self.violation = violation
        endAsServer()
        return closeSent == nil ? .close(ClosePayload(code: violation.closeCode)) : .nothing
    }

    /// Ends a server's connection once both ends have said all they may.
    private mutating func endAsServer() {
        guard role == .server, closeSent != nil, awaited == .endOfStream else { return }
        finish(cause: nil)
    }

    private mutating func finish(cause: String?) {
        ending = violation.map { .violation($0) } ?? .closed(end(cause: cause))
    }
}
