import WebSocketProtocol

/// The messages of a batch that are being compressed side by side, in the order in which they leave.
///
/// Bounded in messages and bytes. Messages left in it when the batch ends early have not been sent.
struct DeflatePipeline {
    private let workers: DeflateWorkers
    private var jobs: [DeflateJob] = []
    private var first = 0
    private var bytes = 0

    init(_ workers: DeflateWorkers) {
        self.workers = workers
    }

    var count: Int { jobs.count - first }

    /// Whether the oldest message has to leave before another can come in.
    var isFull: Bool { count >= workers.maximumJobs || bytes >= DeflateWorkers.maximumBytes }

    /// Whether a message goes through the pipeline rather than straight into the outbox.
    func takes(_ frame: OutgoingFrame, needsCompression: Bool) -> Bool {
        guard frame.isFinal, frame.opcode == .text || frame.opcode == .binary,
            frame.payload.count <= DeflateWorkers.maximumMessage, frame.reservedBits == 0
        else { return false }
        return needsCompression || count > 0
    }

    /// Adds a message whose text has been checked.
    mutating func add(_ frame: OutgoingFrame, needsCompression: Bool) {
        let job = workers.borrowJob()
        job.begin(frame, needsCompression: needsCompression)
        if needsCompression { workers.submit(job) }
        jobs.append(job)
        bytes += job.count
    }

    /// Hands the oldest message to `send`, once it has been compressed: by this thread, unless
    /// another has begun. It stays the oldest if it wasn't accepted.
    mutating func sendOldest(
        _ deadline: inout LazyDeadline,
        _ send: (OutgoingFrame, inout LazyDeadline) throws(SendFailure) -> Void
    ) throws(SendFailure) {
        guard count > 0 else { return }
        let job = jobs[first]
        if job.needsCompression, !workers.finish(job, until: &deadline) {
            throw .transport(.timedOut(nil), isAccepted: false)
        }
        do throws(SendFailure) {
            try job.withFrame { (frame) throws(SendFailure) in try send(frame, &deadline) }
        } catch {
            guard case .transport(let cause, isAccepted: true) = error else { throw error }
            removeOldest()
            // This message was accepted, not the one that the caller is adding.
            throw .transport(cause, isAccepted: false)
        }
        removeOldest()
        workers.giveBack(job)
    }

    private mutating func removeOldest() {
        bytes -= jobs[first].count
        first += 1
        // Filled again from its start, the array needs no new memory.
        if first == jobs.count || first >= workers.maximumJobs {
            jobs.removeSubrange(..<first)
            first = 0
        }
    }
}
