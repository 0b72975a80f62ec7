import Synchronization

/// A descriptor that becomes readable when somebody signals, and stays so, or when somebody nudges,
/// until a waiter has seen it.
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

    /// Wakes at least one of those who wait now, or else the next one, to look again.
    func nudge() { SystemCalls.signalEvent(writer) }

    /// Makes the descriptor unreadable again, unless it was signalled.
    func takeNudge() {
        guard !isSignalled else { return }
        SystemCalls.clearEvent(descriptor)
        // A signal that came in between must not be lost to the others.
        if isSignalled { SystemCalls.signalEvent(writer) }
    }
}
