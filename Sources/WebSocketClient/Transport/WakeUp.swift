import Synchronization

// Glibc is needed here for read(2) and write(2) on the descriptor of the eventfd.
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
#if os(Linux)
    import CLinux
#endif

/// A descriptor that becomes readable when somebody signals, and stays so.
///
/// It is what lets `abort()` end a poll(2) in another thread.
package final class WakeUp: Sendable {
    /// Readable once signalled; never read from, so that every waiter sees it.
    package let descriptor: Int32
    private let writer: Int32
    private let signalled = Atomic<Bool>(false)

    package init() throws(TransportError) {
        #if os(Linux)
            let result = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
            guard result >= 0 else { throw .system(call: "eventfd", .current) }
            (descriptor, writer) = (result, result)
        #else
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { throw .system(call: "pipe", .current) }
            (descriptor, writer) = (ends[0], ends[1])
            for end in ends {
                try SystemCalls.setCloseOnExec(end)
                try SystemCalls.setNonBlocking(end)
            }
        #endif
    }

    deinit {
        SystemCalls.close(descriptor)
        if writer != descriptor { SystemCalls.close(writer) }
    }

    package var isSignalled: Bool { signalled.load(ordering: .acquiring) }

    /// Wakes everybody who waits, now and later.
    package func signal() {
        guard !signalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = SystemCalls.retrying { write(writer, &one, MemoryLayout.size(ofValue: one)) }
    }
}
