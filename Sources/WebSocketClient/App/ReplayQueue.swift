import WebSocketProtocol

/// The messages of one run of an app that have been accepted and not acknowledged, and how far the
/// connection has been given them.
///
/// Rules:
///
/// * After a message has been appended, one thread pumps: it gives the connection the messages that it
///   has not been given yet, in order and without waiting. That is the thread that appended, or the
///   app's thread when there is room in the stream. A thread that finds another one pumping leaves its
///   message to it.
/// * A ping follows the messages in the same turn of the connection, so that it can't overtake one; one
///   ping is on its way at a time. Its pong acknowledges everything before it. As a peer may answer
///   only the latest of several pings (RFC 6455 §5.5.3), a pong to somebody else's ping makes the queue
///   send its own again.
/// * Another connection is given everything from the first unacknowledged message on, once the former
///   connection's pump has stopped.
/// * While `waiters` is entered, no user code runs and no method of a connection is called.
final class ReplayQueue: @unchecked Sendable {
    // Safe to send: everything changes only while `waiters` is entered, except `cut`, which only the
    // pump touches.
    private struct Entry {
        var content: KeptContent
        let acceptedAt: ContinuousClock.Instant
        var timesSent = 0
    }

    private let plan: Replay
    /// Has the app's thread look at the queue again.
    private let nudge: @Sendable () -> Void
    private let waiters = WaitQueue()

    /// From `head` on, the messages that are kept; before it, those about to be released.
    private var entries: [Entry] = []
    private var head = 0
    /// The numbers of the first message that is kept, of the first that the connection hasn't been
    /// given, and of the next one to be appended.
    private var first = 0
    private var next = 0
    private var end: Int { first + entries.count - head }
    private var status = ReplayStatus()
    private var connection: Connection?
    private var isPumping = false
    private var isAskedAgain = false
    private var wantsPump = false
    private var hasEnded = false
    /// The app's thread; and again, while it opens a connection.
    private var thread: UInt = 0
    private var openingThread: UInt = 0
    /// The pings that are on their way, and the messages before each of them.
    private var pings: [(payload: [UInt8], end: Int)] = []
    private var needsPing = false
    /// Whether the connection has acknowledged something.
    private var isProven = false
    private var lastPing: UInt64 = 0
    private let signature = UInt64.random(in: .min ... .max)
    /// A message of which the connection has been given only part of the fragments.
    private var cut: (reservation: FragmentReservation, index: Int)?

    /// How much goes out in one turn, and how many turns the app's thread takes before it goes on.
    private static let portionBytes = 64 << 10
    /// As above, before a connection has acknowledged anything: if every connection soon drops, the
    /// first ping has to come early, or nothing would ever be acknowledged.
    private static let firstPortionBytes = 4 << 10
    private static let portionCount = 256
    private static let turns = 64
    private static let maximumPings = 8

    init(_ plan: Replay, nudge: @escaping @Sendable () -> Void) {
        self.plan = plan
        self.nudge = nudge
    }

    private func entered<Result, Failure>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        waiters.enter()
        defer { waiters.leave() }
        return try body()
    }

    // MARK: For any thread

    var currentStatus: ReplayStatus { entered { status } }

    /// The kept messages, oldest first.
    var messages: [Message] {
        let kept = entered { Array(entries[head...]) }
        return kept.compactMap(\.content.message)
    }

    /// Whether the calling thread is in a callback that opens a connection, whose messages aren't kept.
    var isOpening: Bool { entered { openingThread != 0 && openingThread == Threads.currentNumber } }

    /// Accepts a message, once there is room for it.
    func append(_ content: KeptContent, timeout: Duration?) throws(WebSocketError) {
        let cost = content.cost
        guard cost <= plan.limit else {
            throw .invalidArgument("The message is larger than the limit of what may be kept.")
        }
        let entry = Entry(content: content, acceptedAt: .now)
        try entered { () throws(WebSocketError) in
            var deadline: Deadline?
            while !hasEnded, status.keptBytes + cost > plan.limit {
                guard plan.whenFull == .wait, thread != Threads.currentNumber else {
                    throw .timedOut(.sending(isAccepted: false))
                }
                let limit = deadline ?? Deadline(timeout)
                deadline = limit
                if limit.isPast { throw .timedOut(.sending(isAccepted: false)) }
                _ = waiters.wait(until: limit)
            }
            if hasEnded { throw Self.isOver }
            entries.append(entry)
            status.keptMessages += 1
            status.keptBytes += cost
        }
        pump()
    }

    /// Waits until everything accepted so far has been acknowledged or dropped.
    func waitUntilAcknowledged(timeout: Duration?) throws(WebSocketError) {
        let deadline = Deadline(timeout)
        try entered { () throws(WebSocketError) in
            let target = end
            while first < target {
                if hasEnded { throw Self.isOver }
                if thread == Threads.currentNumber {
                    throw .invalidArgument("Acknowledgements are received on this thread.")
                }
                if deadline.isPast { throw .timedOut(.sending(isAccepted: true)) }
                _ = waiters.wait(until: deadline)
            }
        }
    }

    private static var isOver: WebSocketError {
        .connectionClosed(ConnectionEnd(cause: "the app has no open connection"))
    }

    // MARK: For the app's thread

    /// Notes that the calling thread runs the app.
    func attend() {
        let number = Threads.currentNumber
        entered { thread = number }
    }

    /// Runs the user's callback for a connection that has just opened.
    func opening(_ body: () -> Void) {
        let number = Threads.currentNumber
        entered { openingThread = number }
        body()
        entered { openingThread = 0 }
    }

    /// Gives the kept messages to a connection that has opened.
    func opened(_ connection: Connection) {
        // The former pump never waits for a peer, and has nothing to write to any more.
        entered { while isPumping { _ = waiters.wait(until: .never) } }
        cut = nil
        review()
        entered {
            next = first
            pings = []
            needsPing = false
            isProven = false
            self.connection = connection
        }
        pump()
    }

    /// The connection has ended.
    func lost() {
        let former = entered { connection.take() }
        withExtendedLifetime(former) {}
    }

    /// The run has ended.
    func finish() {
        let former = entered {
            hasEnded = true
            waiters.signalAll()
            return connection.take()
        }
        withExtendedLifetime(former) {}
    }

    /// Whether a pong answers a ping of this queue.
    func receivedPong(_ payload: [UInt8]) -> Bool {
        let (isOwn, former) = entered { () -> (Bool, [Entry]) in
            guard let index = pings.firstIndex(where: { $0.payload == payload }) else {
                needsPing = !pings.isEmpty && pings.count < Self.maximumPings
                return (false, [])
            }
            let former = acknowledge(to: pings[index].end)
            pings.removeFirst(index + 1)
            isProven = true
            return (true, former)
        }
        // Released here, outside the lock: this may be the last reference to a prepared message.
        withExtendedLifetime(former) {}
        pump()
        return isOwn
    }

    /// Goes on after a nudge, or if there is room in the stream.
    func goOn(hasRoom: Bool) {
        let isDue = entered {
            defer { wantsPump = false }
            return wantsPump || hasRoom
        }
        if isDue { pump() }
    }

    // MARK: Inside

    /// Drops the messages before a number. Entered only.
    private func acknowledge(to number: Int) -> [Entry] {
        let count = max(0, min(number, next) - first)
        // A copy: while a slice exists, the changes below would copy all kept messages.
        let former = Array(entries[head..<head + count])
        for entry in former {
            if case .nothing = entry.content { continue }
            status.acknowledgedMessages += 1
            status.keptMessages -= 1
            status.keptBytes -= entry.content.cost
        }
        for index in head..<head + count { entries[index].content = .nothing }
        head += count
        first += count
        if head > 64, head > entries.count / 2 {
            entries.removeFirst(head)
            head = 0
        }
        waiters.signalAll()
        return former
    }

    /// Asks the user about each message; nothing is acknowledged meanwhile, as there is no connection.
    private func review() {
        guard let review = plan.review else { return }
        let (number, kept) = entered { (first, Array(entries[head...])) }
        var changes: [(number: Int, content: KeptContent)] = []
        for (index, entry) in kept.enumerated() {
            guard let message = entry.content.message else { continue }
            let reviewed = review(
                KeptMessage(
                    message: message,
                    acceptedAt: entry.acceptedAt,
                    timesSent: entry.timesSent
                )
            )
            guard reviewed != message else { continue }
            changes.append((number + index, reviewed.map(KeptContent.init) ?? .nothing))
        }
        entered {
            for (number, content) in changes { change(number, to: content) }
            waiters.signalAll()
        }
    }

    private func change(_ number: Int, to content: KeptContent) {
        let index = head + number - first
        status.keptBytes += content.cost - entries[index].content.cost
        if case .nothing = content {
            status.keptMessages -= 1
            status.droppedMessages += 1
        } else {
            // In this form, it has never been sent.
            entries[index].timesSent = 0
        }
        entries[index].content = content
    }

    // MARK: The pump

    private enum Outcome {
        case goOn
        /// The stream is full, or a callback will come.
        case stop
        case failed
    }

    /// Gives the connection as much as it takes at once.
    private func pump() {
        let mayPump = entered {
            if isPumping { isAskedAgain = true }
            defer { isPumping = true }
            return !isPumping
        }
        guard mayPump else { return }
        var turns = 0
        while let portion = nextPortion() {
            let (accepted, outcome) = give(portion)
            turns += 1
            guard note(portion, accepted, outcome, isTired: turns >= Self.turns) else { return }
        }
    }

    /// The next step; `nil` if there is none, which ends the pumping.
    private func nextPortion() -> ReplayPortion? {
        entered {
            isAskedAgain = false
            guard let connection else { return stopPumping() }
            var portion = ReplayPortion(connection: connection, start: next)
            var bytes = 0
            let limit = isProven ? Self.portionBytes : Self.firstPortionBytes
            for entry in entries[(head + next - first)...].prefix(Self.portionCount) {
                let cost = entry.content.cost
                let isAlone = if case .fragments = entry.content { true } else { false }
                guard portion.contents.isEmpty || !isAlone && bytes + cost <= limit
                else { break }
                portion.contents.append(entry.content)
                bytes += cost
                if isAlone { break }
            }
            let last = next + portion.contents.count
            if last > first, pings.isEmpty || needsPing, cut == nil {
                lastPing += 1
                let ping = Self.payload(signature, lastPing)
                portion.ping = ping
                // Before sending, as its pong may arrive before this thread is back.
                pings.append((ping, last))
                needsPing = false
            }
            guard !portion.contents.isEmpty || portion.ping != nil else { return stopPumping() }
            return portion
        }
    }

    private func stopPumping() -> ReplayPortion? {
        isPumping = false
        waiters.signalAll()
        return nil
    }

    /// Notes what the connection has been given; false if this thread need not go on.
    private func note(
        _ portion: ReplayPortion,
        _ accepted: Int,
        _ outcome: Outcome,
        isTired: Bool
    ) -> Bool {
        var former: [Entry] = []
        let (goesOn, wantsNudge) = entered { () -> (Bool, Bool) in
            let count = min(accepted, portion.contents.count)
            let index = head + portion.start - first
            for index in index..<index + count {
                if case .nothing = entries[index].content { continue }
                if entries[index].timesSent > 0 { status.sentAgain += 1 }
                entries[index].timesSent += 1
            }
            next = portion.start + count
            if let ping = portion.ping {
                let index = pings.firstIndex { $0.payload == ping }
                if accepted > portion.contents.count {
                    if index == nil { former = acknowledge(to: next) }
                } else if let index {
                    pings.remove(at: index)
                    needsPing = !pings.isEmpty
                }
            }
            // Whoever receives notices its end.
            if case .failed = outcome, connection === portion.connection { connection = nil }
            let mayGoOn = if case .stop = outcome { isAskedAgain } else { true }
            if mayGoOn, !isTired { return (true, false) }
            _ = stopPumping()
            wantsPump = mayGoOn
            return (false, mayGoOn)
        }
        withExtendedLifetime(former) {}
        if wantsNudge { nudge() }
        return goesOn
    }

    private static func payload(_ signature: UInt64, _ number: UInt64) -> [UInt8] {
        withUnsafeBytes(of: (signature, number.bigEndian)) { Array($0) }
    }

    /// Gives the connection a portion; returns how many of its frames have been accepted, the ping included.
    private func give(_ portion: ReplayPortion) -> (accepted: Int, Outcome) {
        if case .fragments(let opcode, let fragments)? = portion.contents.first {
            return give(fragments, opcode, on: portion.connection)
        }
        var accepted = 0
        do throws(SendFailure) {
            let attempt = try portion.withFrames { (frames) throws(SendFailure) in
                try portion.connection.sender.attemptSend(
                    from: &accepted,
                    to: frames.count,
                    knocking: nil,
                    limit: Self.moment
                ) { frames[$0] }
            }
            return (portion.contents(in: accepted), outcome(of: attempt, on: portion.connection))
        } catch {
            return (portion.contents(in: accepted), .failed)
        }
    }

    private func outcome<Value>(of attempt: Attempt<Value>, on connection: Connection) -> Outcome {
        switch attempt {
        case .got, .again: return .goOn
        case .wait([]):
            // Somebody else is sending.
            let isFree = connection.sender.callBackUnlessFree { [weak self] in
                guard let self else { return }
                entered { wantsPump = true }
                nudge()
            }
            return isFree ? .goOn : .stop
        case .wait: return .stop
        }
    }

    /// How long to go on with a portion while the stream takes everything.
    private static var moment: LazyDeadline {
        LazyDeadline(until: .after(.milliseconds(10))).withoutWaiting()
    }
}

extension ReplayQueue {
    /// Gives the connection the fragments of a message, from where the last attempt ended.
    private func give(
        _ fragments: [[UInt8]],
        _ opcode: Opcode,
        on connection: Connection
    ) -> (accepted: Int, Outcome) {
        let sender = connection.sender
        do throws(SendFailure) {
            if cut == nil {
                let reservation = FragmentReservation()
                let attempt = try sender.attemptReservation(
                    reservation,
                    knocking: nil,
                    limit: Self.moment
                )
                guard case .got = attempt else { return (0, outcome(of: attempt, on: connection)) }
                cut = (reservation, 0)
            }
            guard let (reservation, start) = cut else { return (0, .failed) }
            var index = start
            defer { if cut != nil { cut = (reservation, index) } }
            while index < max(1, fragments.count) {
                let attempt = try attempt(index, of: fragments, opcode, sender, by: reservation)
                guard case .got = attempt else { return (0, outcome(of: attempt, on: connection)) }
                index += 1
            }
            let attempt = sender.attemptEnd(reservation, knocking: nil)
            guard case .got = attempt else { return (0, outcome(of: attempt, on: connection)) }
            cut = nil
            return (1, .goOn)
        } catch {
            return (0, .failed)
        }
    }

    private func attempt(
        _ index: Int,
        of fragments: [[UInt8]],
        _ opcode: Opcode,
        _ sender: Sender,
        by reservation: FragmentReservation
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        let fragment = index < fragments.count ? fragments[index] : []
        let result = fragment.withUnsafeBytes { bytes in
            Result { () throws(SendFailure) in
                var accepted = 0
                let frame = OutgoingFrame(
                    opcode: index == 0 ? opcode : .continuation,
                    payload: bytes,
                    isFinal: index + 1 >= fragments.count,
                    compression: .never
                )
                return try sender.attemptSend(
                    from: &accepted,
                    to: 1,
                    by: reservation,
                    knocking: nil,
                    limit: Self.moment
                ) { _ in frame }
            }
        }
        return try result.get()
    }
}
