import Synchronization

/// A descriptor that becomes readable for good when it is signalled, and until a waiter has seen it
/// when it is nudged.
///
/// It is what lets `abort()` end a poll(2) in another thread.
package final class WakeUp: Sendable {
    /// Readable once signalled or nudged.
    package let descriptor: Int32
    private let writer: Int32
    private let signalled = Atomic<Bool>(false)

    package init() throws(TransportError) {
        (descriptor, writer) = try SystemCalls.makeEvent()
    }

    deinit {
        SystemCalls.close(descriptor)
        if writer != descriptor { SystemCalls.close(writer) }
    }

    package var isSignalled: Bool { signalled.load(ordering: .acquiring) }

    /// Wakes every waiting thread, now and later.
    package func signal() {
        guard !signalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        SystemCalls.signalEvent(writer)
    }

    /// Wakes at least one of the waiting threads, or else the next one to wait, to look again.
    func nudge() { SystemCalls.signalEvent(writer) }

    /// Clears a nudge: the descriptor is no longer readable, unless it was signalled.
    func takeNudge() {
        guard !isSignalled else { return }
        SystemCalls.clearEvent(descriptor)
        // A signal that came in between must not be lost to the other waiters.
        if isSignalled { SystemCalls.signalEvent(writer) }
    }
}
