import Synchronization

/// Keeps short what a control frame has to wait for; see ``ConnectOptions/maximumControlDelay``.
///
/// A control frame waits for the fragment that has begun to leave, and for what the kernel has taken and not sent
/// yet. The latter is the larger part: a socket's send buffer grows with TCP's window to megabytes, which take
/// seconds on a slow line, and whatever is in it can't be passed. So both are held to what leaves within a share of
/// the limit, at the rate that has been measured: fragments by their size, and the kernel's part by
/// TCP_NOTSENT_LOWAT, which says how many unsent bytes make a socket full. What has been sent and not
/// acknowledged is in the network: that is the link's own delay, which TCP's congestion control has to bound.
///
/// The rate is that of acknowledged bytes: those that the socket took less those that the kernel holds
/// (SIOCOUTQ). It is looked at between fragments, and whenever the socket is full.
final class ControlDelay: Sendable {
    private let sizer: OwnedState<FragmentSizer>
    private let current: Atomic<Int>

    init(limit: Duration) {
        let sizer = FragmentSizer(limit: limit)
        current = Atomic(sizer.size)
        self.sizer = OwnedState(sizer)
    }

    /// The most bytes of a frame, and of what is written at once; for any thread.
    var size: Int { current.load(ordering: .relaxed) }

    /// Holds the kernel's part to the limit from the beginning.
    func begin(_ stream: any ByteStream) {
        stream.limitUnsentBytes(size)
        measure(stream)
    }

    /// Looks at how far the stream has come. In turn only.
    func measure(_ stream: any ByteStream) {
        guard let held = SystemCalls.unacknowledgedBytes(stream.descriptor) else { return }
        sizer.value.note(sent: stream.sentBytes, held: held, at: Deadline.now.nanoseconds)
        let size = sizer.value.size
        // No system call for what makes no difference.
        guard abs(size - current.load(ordering: .relaxed)) > size / 8 else { return }
        current.store(size, ordering: .relaxed)
        stream.limitUnsentBytes(size)
    }
}
