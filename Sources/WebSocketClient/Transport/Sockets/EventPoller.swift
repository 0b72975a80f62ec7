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

/// Waits for any number of descriptors at once, with epoll(7), and can be woken.
///
/// One thread waits, and changes the set of descriptors; ``wake()`` is for any thread. On systems other
/// than Linux it uses poll(2).
package final class EventPoller: @unchecked Sendable {
    // Safe to send: `wake()` touches only a descriptor; everything else belongs to the waiting thread.
    private let wakeUp: WakeUp
    private var interests: [Int32: (interest: Interest, key: Int)] = [:]
    #if os(Linux)
        private let descriptor: Int32
        private var events = [epoll_event](repeating: epoll_event(), count: 64)
    #endif

    package init() throws(TransportError) {
        wakeUp = try WakeUp()
        #if os(Linux)
            descriptor = epoll_create1(Int32(EPOLL_CLOEXEC.number))
            guard descriptor >= 0 else { throw .system(call: "epoll_create1", .current) }
        #endif
        try set(.read, for: wakeUp.descriptor, key: Self.wakeUpKey)
    }

    deinit {
        #if os(Linux)
            SystemCalls.close(descriptor)
        #endif
    }

    /// A key that no descriptor has.
    private static let wakeUpKey = -1

    /// Ends the wait in progress, or the next one. For any thread.
    package func wake() { wakeUp.nudge() }

    /// Waits for this readiness of a descriptor from now on; `key` identifies it. Nothing changes if
    /// this fails.
    package func set(
        _ interest: Interest,
        for target: Int32,
        key: Int
    ) throws(TransportError) {
        let known = interests[target]
        if let known, known == (interest, key) { return }
        #if os(Linux)
            var event = epoll_event()
            event.data.u64 = UInt64(bitPattern: Int64(key))
            if interest.contains(.read) { event.events |= EPOLLIN.number }
            if interest.contains(.write) { event.events |= EPOLLOUT.number }
            let change = known == nil ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
            guard epoll_ctl(descriptor, change, target, &event) == 0 else {
                throw .system(call: "epoll_ctl", .current)
            }
        #endif
        interests[target] = (interest, key)
    }

    /// Stops waiting for the descriptor; to be called before it is closed.
    package func remove(_ target: Int32) {
        guard interests.removeValue(forKey: target) != nil else { return }
        #if os(Linux)
            var event = epoll_event()
            epoll_ctl(descriptor, EPOLL_CTL_DEL, target, &event)
        #endif
    }

    /// Waits until a descriptor is ready, a thread wakes it, or the deadline has passed; collects the
    /// keys of the descriptors that are ready.
    package func wait(
        until deadline: Deadline,
        ready: inout [(key: Int, interest: Interest)]
    ) throws(TransportError) {
        ready.removeAll(keepingCapacity: true)
        #if os(Linux)
            let count = epoll_wait(
                descriptor,
                &events,
                Int32(events.count),
                deadline.pollMilliseconds
            )
            if count < 0 {
                let error = ErrorNumber.current
                guard error == .interrupted else { throw .system(call: "epoll_wait", error) }
                return
            }
            for event in events.prefix(Int(count)) {
                let key = Int(Int64(bitPattern: event.data.u64))
                ready.append((key, Interest(epoll: event.events)))
            }
        #else
            var entries = interests.map { PollEntry($0.key, for: $0.value.interest) }
            _ = try Poll.wait(for: &entries, wakeUp: nil, until: deadline)
            for entry in entries where entry.isReady {
                guard let key = interests[entry.descriptor]?.key else { continue }
                ready.append((key, entry.interest))
            }
        #endif
        if let woken = ready.firstIndex(where: { $0.key == Self.wakeUpKey }) {
            ready.remove(at: woken)
            wakeUp.takeNudge()
        }
    }
}

#if os(Linux)
    extension Interest {
        /// A descriptor that has ended or failed is ready for everything.
        fileprivate init(epoll events: UInt32) {
            self = []
            if events & (EPOLLERR.number | EPOLLHUP.number) != 0 { self = [.read, .write] }
            if events & EPOLLIN.number != 0 { insert(.read) }
            if events & EPOLLOUT.number != 0 { insert(.write) }
        }
    }

    // Glibc has these as enumerations, Musl as integers.
    #if canImport(Glibc)
        extension EPOLL_EVENTS {
            fileprivate var number: UInt32 { rawValue }
        }
    #endif
    extension BinaryInteger {
        fileprivate var number: UInt32 { UInt32(truncatingIfNeeded: self) }
    }
#endif
