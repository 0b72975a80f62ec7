import WebSocketProtocol

/// Threads that compress one connection's messages side by side, where `client_no_context_takeover` was
/// agreed: then no message refers to another, and any compressor can compress any message.
///
/// They are started when there is work for them and end with the connection's sender.
final class DeflateWorkers: Sendable {
    private struct State {
        var jobs: [DeflateJob] = []
        var idleJobs: [DeflateJob] = []
        var threads = 0
        var isStopped = false
    }

    private let state = Locked(State())
    /// Set while there is work, and once the threads have to end. Reset only under the lock of `state`.
    private let work = Event()
    private let compressors: DeflaterPool
    /// The thread that holds the turn compresses as well.
    private let maximumThreads: Int

    /// More messages than this don't wait: each has memory of its own.
    let maximumJobs: Int
    /// The same limit, in bytes.
    static let maximumBytes = 16 << 20
    /// Larger messages are compressed as they are sent, piece by piece.
    static let maximumMessage = 4 << 20

    /// `nil` unless more than one thread was asked for and the client compresses each message by
    /// itself.
    init?(_ parameters: DeflateParameters, options: DeflateOptions) {
        guard options.threads > 1, parameters.clientNoContextTakeover else { return nil }
        maximumThreads = options.threads - 1
        maximumJobs = 4 * options.threads
        compressors = DeflaterPool(
            DeflateChoice(windowBits: parameters.clientMaxWindowBits, options: options)
        )
    }

    /// Whether there are messages that no thread has begun to compress.
    var hasWork: Bool { state.withLock { !$0.jobs.isEmpty } }

    /// A job for a message, reused or new.
    func borrowJob() -> DeflateJob {
        state.withLock { $0.idleJobs.popLast() } ?? DeflateJob()
    }

    func giveBack(_ job: DeflateJob) {
        state.withLock { state in
            if state.idleJobs.count < maximumJobs { state.idleJobs.append(job) }
        }
    }

    /// Leaves a job to the threads, until ``finish(_:until:)``.
    func submit(_ job: DeflateJob) {
        job.completion.reset()
        let needsThread = state.withLock { state in
            state.jobs.append(job)
            // The first job is left to the thread that holds the turn, unless more follow.
            guard state.jobs.count > 1, state.threads < maximumThreads else { return false }
            state.threads += 1
            return true
        }
        if needsThread { startThread() }
        work.set()
    }

    /// Returns when the oldest job has been compressed; meanwhile it compresses jobs that no thread has
    /// begun, the oldest one first. False if there is nothing left to do and waiting takes too long.
    func finish(_ job: DeflateJob, until deadline: inout LazyDeadline) -> Bool {
        while !job.completion.isSet {
            let next = state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
            if let next {
                run(next)
            } else if !job.completion.wait(until: deadline.value) {
                return false
            }
        }
        return true
    }

    /// Takes back the jobs that no thread has begun: nobody will send them.
    func withdraw() {
        state.withLock { state in
            state.idleJobs += state.jobs.prefix(maximumJobs - state.idleJobs.count)
            state.jobs.removeAll(keepingCapacity: true)
        }
    }

    /// Compresses one message on the calling thread, and lends it.
    func withCompressed(
        _ frame: OutgoingFrame,
        _ body: (OutgoingFrame) throws(SendFailure) -> Void
    ) throws(SendFailure) {
        let job = borrowJob()
        defer { giveBack(job) }
        job.begin(frame, needsCompression: true)
        compressors.withDeflater { job.compress(with: &$0) }
        try job.withFrame(body)
    }

    private func run(_ job: DeflateJob) {
        compressors.withDeflater { job.compress(with: &$0) }
        job.completion.set()
    }

    /// Ends the threads, after they have finished the jobs that they have begun.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.jobs.removeAll()
        }
        work.set()
    }

    private func startThread() {
        do {
            try Threads.start { [self] in run() }
        } catch {
            // If no thread can be started, the existing workers and the sender do the work.
            state.withLock { $0.threads -= 1 }
        }
    }

    private func run() {
        while let job = next() { run(job) }
    }

    /// The next job; `nil` once the workers have been stopped.
    private func next() -> DeflateJob? {
        while true {
            let (job, isStopped) = state.withLock { state in
                if state.jobs.isEmpty {
                    if !state.isStopped { work.reset() }
                    return (DeflateJob?.none, state.isStopped)
                }
                return (state.jobs.removeFirst(), state.isStopped)
            }
            if isStopped { return nil }
            if let job { return job }
            _ = work.wait(until: .never)
        }
    }
}

/// Compressors that threads borrow, made when first needed.
final class DeflaterPool: Sendable {
    private final class Entry: @unchecked Sendable {
        // Safe to send: only the thread that has taken it out of the pool uses it.
        var deflater: Deflater

        init(_ deflater: consuming Deflater) { self.deflater = deflater }
    }

    private let idle = Locked<[Entry]>([])
    private let choice: DeflateChoice

    init(_ choice: DeflateChoice) { self.choice = choice }

    func withDeflater<Result>(_ body: (inout Deflater) -> Result) -> Result {
        let entry =
            idle.withLock { $0.popLast() }
            ?? Entry(
                Deflater(
                    windowBits: choice.windowBits,
                    noContextTakeover: true,
                    options: choice.options
                )
            )
        defer {
            idle.withLock { entries in
                if entries.count < choice.options.threads { entries.append(entry) }
            }
        }
        return body(&entry.deflater)
    }
}
