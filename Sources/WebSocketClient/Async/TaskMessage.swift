import WebSocketProtocol

/// A message that a task sends in fragments.
///
/// Rules:
///
/// * The task is inside the line of senders, and the stream is reserved, from the first fragment to the end:
///   nothing but control frames may come in between (RFC 6455 §5.4).
/// * A message that has begun can't be taken back. If it won't be completed, the connection is closed, as a
///   close frame may come between fragments too, and the peer then drops what it has of the message.
/// * `finish` or `abandon` has to be called before it is released.
struct TaskMessage: ~Copyable {
    private let connection: Connection
    private let opcode: Opcode
    private let timeout: Duration?
    private let reservation = FragmentReservation()
    /// Set once the task is inside the line.
    private var tasks: ConnectionTasks?
    private var isReserved = false
    /// Whether the first fragment has been accepted.
    private var hasBegun = false
    /// Whether the last fragment has been accepted.
    private(set) var isComplete = false

    init(on connection: Connection, as opcode: Opcode, timeout: Duration?) {
        self.connection = connection
        self.opcode = opcode
        self.timeout = timeout
    }

    /// Sends a fragment; returns when the stream has taken it.
    mutating func send(_ bytes: ArraySlice<UInt8>, isFinal: Bool) async throws {
        let deadline = Deadline(timeout)
        var isAccepted = false
        do throws(TaskFailure) {
            let tasks = try await enterLine(until: deadline)
            let loop = AttemptLoop(
                slot: tasks.readiness.sending,
                reactor: tasks.reactor,
                limit: { deadline }
            )
            try await reserve(loop)
            let position = try await loop.run { () throws(WebSocketError) in
                try attempt(bytes, isFinal, deadline, tasks)
            }
            isAccepted = true
            hasBegun = true
            isComplete = isFinal
            let sender = connection.sender
            guard !sender.hasWritten(position) else { return }
            try await loop.run { () throws(WebSocketError) in
                try connection.mapped { () throws(SendFailure) in
                    try sender.attemptWriting(upTo: position, knocking: tasks.readiness.sending)
                }
            }
        } catch {
            throw connection.sendingError(error, isAccepted: isAccepted)
        }
    }

    private mutating func enterLine(
        until deadline: Deadline
    ) async throws(TaskFailure) -> ConnectionTasks {
        if let tasks { return tasks }
        let tasks = try await connection.enterSendersLine(by: deadline)
        self.tasks = tasks
        return tasks
    }

    private mutating func reserve(_ loop: AttemptLoop) async throws(TaskFailure) {
        guard !isReserved else { return }
        let (connection, reservation) = (connection, reservation)
        let deadline = loop.limit()
        try await loop.run { () throws(WebSocketError) in
            try connection.mapped { () throws(SendFailure) in
                try connection.sender.attemptReservation(
                    reservation,
                    knocking: loop.slot,
                    limit: LazyDeadline(until: deadline)
                )
            }
        }
        isReserved = true
    }

    private func attempt(
        _ bytes: ArraySlice<UInt8>,
        _ isFinal: Bool,
        _ deadline: Deadline,
        _ tasks: ConnectionTasks
    ) throws(WebSocketError) -> Attempt<StreamPosition> {
        try connection.mapped { () throws(SendFailure) in
            let result = bytes.withUnsafeBytes { bytes in
                Result { () throws(SendFailure) in
                    var accepted = 0
                    let frame = OutgoingFrame(
                        opcode: hasBegun ? .continuation : opcode,
                        payload: bytes,
                        isFinal: isFinal,
                        compression: .never
                    )
                    return try connection.sender.attemptSend(
                        from: &accepted,
                        to: 1,
                        by: reservation,
                        knocking: tasks.readiness.sending,
                        limit: LazyDeadline(until: deadline)
                    ) { _ in frame }
                }
            }
            return try result.get()
        }
    }

    /// Lets others send, after the last fragment.
    mutating func finish() async {
        guard let tasks else { return }
        if isReserved {
            let (sender, reservation) = (connection.sender, reservation)
            let loop = AttemptLoop(
                slot: tasks.readiness.sending,
                reactor: tasks.reactor,
                limit: { .never },
                isShielded: true
            )
            try? await loop.run { () throws(WebSocketError) in
                sender.attemptEnd(reservation, knocking: tasks.readiness.sending)
            }
        }
        tasks.senders.leave()
        self.tasks = nil
    }

    /// Ends the message after an error: closes the connection if the message has begun and is not
    /// complete. Returns the error to throw.
    mutating func abandon(
        after error: any Error,
        closeTimeout: Duration
    ) async -> any Error {
        guard hasBegun, !isComplete else {
            await finish()
            return error
        }
        if case WebSocketError.timedOut(.sending) = error {
            // A peer that reads nothing wouldn't read a close frame either.
            connection.abort()
        } else {
            let payload = ClosePayload(
                code: .internalError,
                reason: "the message could not be completed"
            )
            _ = try? await connection.closing(payload, timeout: closeTimeout)
        }
        await finish()
        return switch error {
        case WebSocketError.timedOut(.sending): WebSocketError.timedOut(.sending(isAccepted: false))
        case is CancellationError, WebSocketError.cancelled(.sending):
            WebSocketError.cancelled(.sending(isAccepted: false))
        default: error
        }
    }
}
