#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif
#if os(Linux)
    import CWebSocketLinux
#endif

/// Reports each change of many descriptors' readiness once: epoll(7) with EPOLLET, elsewhere kqueue(2)
/// with EV_CLEAR.
///
/// A descriptor is added once, for both directions, and never changed: to find out whether it is ready,
/// try, and wait for the next change after a would-block. One thread waits; everything else may be
/// called from any thread.
package final class EdgePoller: Sendable {
    /// A change of a descriptor.
    package struct Change: Sendable {
        package let key: UInt64
        /// The directions for which it has become ready.
        package let ready: Interest
        /// The directions that have ended: no more will arrive, or nothing can be written.
        package let ended: Interest
    }

    private let descriptor: Int32
    private let alarm: (reader: Int32, writer: Int32)

    /// The key of the alarm; the others begin at 1.
    private static let alarmKey: UInt64 = 0
    /// How many changes one call collects.
    private static let batch = 128

    package init() throws(TransportError) {
        alarm = try SystemCalls.makeEvent()
        #if os(Linux)
            descriptor = epoll_create1(Int32(truncatingIfNeeded: EPOLL_CLOEXEC.bits))
        #else
            descriptor = kqueue()
        #endif
        guard descriptor >= 0 else {
            let error = ErrorNumber.current
            Self.close(alarm)
            throw .system(call: "EdgePoller", error)
        }
        do throws(TransportError) {
            try add(alarm.reader, key: Self.alarmKey)
        } catch {
            SystemCalls.close(descriptor)
            Self.close(alarm)
            throw error
        }
    }

    deinit {
        SystemCalls.close(descriptor)
        Self.close(alarm)
    }

    private static func close(_ alarm: (reader: Int32, writer: Int32)) {
        SystemCalls.close(alarm.reader)
        if alarm.writer != alarm.reader { SystemCalls.close(alarm.writer) }
    }

    /// Ends the wait in progress, or the next one.
    ///
    /// The alarm is never read: each write to it is a change.
    package func wake() { SystemCalls.signalEvent(alarm.writer) }

    #if os(Linux)
        /// Reports a descriptor's changes from now on, its present state first; `key` identifies it.
        package func add(_ target: Int32, key: UInt64) throws(TransportError) {
            var event = epoll_event()
            event.events = EPOLLIN.bits | EPOLLRDHUP.bits | EPOLLET.bits
            if key != Self.alarmKey { event.events |= EPOLLOUT.bits }
            event.data.u64 = key
            guard epoll_ctl(descriptor, EPOLL_CTL_ADD, target, &event) == 0 else {
                throw .system(call: "epoll_ctl", .current)
            }
        }

        /// Stops reporting a descriptor; to be called before it is closed.
        package func remove(_ target: Int32) {
            var event = epoll_event()
            epoll_ctl(descriptor, EPOLL_CTL_DEL, target, &event)
        }

        /// epoll_wait(2) counts in milliseconds, so ppoll(2) does the shorter waits. False for a longer
        /// one.
        private func waitShortly(until deadline: Deadline) -> Bool {
            guard deadline != .never else { return false }
            let left = deadline.nanoseconds - SystemCalls.monotonicNanoseconds()
            guard left > 0, left < 2_000_000 else { return false }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            var time = timespec(tv_sec: 0, tv_nsec: Int(left))
            // The result doesn't matter: the descriptors are polled next.
            _ = ppoll(&entry, 1, &time, nil)
            return true
        }

        /// Waits until something has changed, `wake()` was called, or the deadline has passed; calls
        /// `body` for each change.
        package func wait(
            until deadline: Deadline,
            _ body: (Change) -> Void
        ) throws(TransportError) {
            let isShort = waitShortly(until: deadline)
            let result = withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.batch) {
                events -> Result<Void, TransportError> in
                let count = epoll_wait(
                    descriptor,
                    events.baseAddress,
                    Int32(events.count),
                    isShort ? 0 : deadline.pollMilliseconds
                )
                guard count >= 0 else {
                    let error = ErrorNumber.current
                    return error == .interrupted
                        ? .success(()) : .failure(.system(call: "epoll_wait", error))
                }
                for event in events.prefix(Int(count)) where event.data.u64 != Self.alarmKey {
                    body(Change(event))
                }
                return .success(())
            }
            try result.get()
        }
    #else
        /// Reports a descriptor's changes from now on, its present state first; `key` identifies it.
        package func add(_ target: Int32, key: UInt64) throws(TransportError) {
            let filters = key == Self.alarmKey ? [EVFILT_READ] : [EVFILT_READ, EVFILT_WRITE]
            var changes = filters.map { filter in
                kevent(
                    ident: UInt(target),
                    filter: Int16(filter),
                    flags: UInt16(EV_ADD | EV_CLEAR),
                    fflags: 0,
                    data: 0,
                    udata: UnsafeMutableRawPointer(bitPattern: UInt(key))
                )
            }
            guard kevent(descriptor, &changes, Int32(changes.count), nil, 0, nil) == 0 else {
                throw .system(call: "kevent", .current)
            }
        }

        /// Stops reporting a descriptor; to be called before it is closed.
        package func remove(_ target: Int32) {
            for filter in [EVFILT_READ, EVFILT_WRITE] {
                var change = kevent()
                change.ident = UInt(target)
                change.filter = Int16(filter)
                change.flags = UInt16(EV_DELETE)
                _ = kevent(descriptor, &change, 1, nil, 0, nil)
            }
        }

        /// Waits until something has changed, `wake()` was called, or the deadline has passed; calls
        /// `body` for each change.
        package func wait(
            until deadline: Deadline,
            _ body: (Change) -> Void
        ) throws(TransportError) {
            var events = [kevent](repeating: kevent(), count: Self.batch)
            var count: Int32
            if let remaining = deadline.remaining {
                var time = timespec(nanoseconds: Int64(remaining / .nanoseconds(1)))
                count = kevent(descriptor, nil, 0, &events, Int32(events.count), &time)
            } else {
                count = kevent(descriptor, nil, 0, &events, Int32(events.count), nil)
            }
            guard count >= 0 else {
                let error = ErrorNumber.current
                guard error == .interrupted else { throw .system(call: "kevent", error) }
                return
            }
            for event in events.prefix(Int(count)) {
                let key = UInt64(UInt(bitPattern: event.udata))
                guard key != Self.alarmKey else { continue }
                let direction: Interest = event.filter == EVFILT_READ ? .read : .write
                let isEnded = event.flags & UInt16(EV_EOF) != 0
                body(Change(key: key, ready: direction, ended: isEnded ? direction : []))
            }
        }
    #endif
}

#if os(Linux)
    extension EdgePoller.Change {
        /// A descriptor that has ended or failed is ready for everything.
        fileprivate init(_ event: epoll_event) {
            var (ready, ended) = (Interest(), Interest())
            if event.events & EPOLLIN.bits != 0 { ready.insert(.read) }
            if event.events & EPOLLOUT.bits != 0 { ready.insert(.write) }
            if event.events & EPOLLRDHUP.bits != 0 { ended.insert(.read) }
            if event.events & (EPOLLERR.bits | EPOLLHUP.bits) != 0 { ended = [.read, .write] }
            self.init(key: event.data.u64, ready: ready.union(ended), ended: ended)
        }
    }

    // Glibc has these as enumerations, Musl as integers.
    #if canImport(Glibc)
        extension EPOLL_EVENTS {
            fileprivate var bits: UInt32 { rawValue }
        }
    #endif
    extension BinaryInteger {
        fileprivate var bits: UInt32 { UInt32(truncatingIfNeeded: self) }
    }
#endif
