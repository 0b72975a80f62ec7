import Synchronization

/// A descriptor that becomes readable when somebody signals, and stays so.
///
/// It is what lets `abort()` end a poll(2) in another thread.
package final class WakeUp: Sendable {
    /// Readable once signalled; never read from, so that every waiter sees it.
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

    /// Wakes everybody who waits, now and later.
    package func signal() {
        guard !signalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        SystemCalls.signalEvent(writer)
    }
}
