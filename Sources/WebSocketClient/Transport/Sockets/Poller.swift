#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
#if os(Linux)
    import CWebSocketLinux
#endif

/// Waits for any number of descriptors at once, with epoll(7), and can be woken.
///
/// One thread waits and changes what is waited for; ``wake()`` is for all others. Elsewhere than on
/// Linux it is poll(2).
package final class Poller: @unchecked Sendable {
    // Safe to send: `wake()` touches a descriptor alone, all else belongs to the waiting thread.
    private let alarm: Alarm
    private var interests: [Int32: (interest: Interest, key: Int)] = [:]
    #if os(Linux)
        private let descriptor: Int32
        private var events = [epoll_event](repeating: epoll_event(), count: 64)
    #endif

    package init() throws(TransportError) {
        alarm = try Alarm()
        #if os(Linux)
            descriptor = epoll_create1(Int32(EPOLL_CLOEXEC.number))
            guard descriptor >= 0 else { throw .system(call: "epoll_create1", .current) }
        #endif
        try set(.read, for: alarm.descriptor, key: Self.alarmKey)
    }

    deinit {
        #if os(Linux)
            SystemCalls.close(descriptor)
        #endif
    }

    /// The key of nobody.
    private static let alarmKey = -1

    /// Ends the wait in progress, or the next one. For any thread.
    package func wake() { alarm.ring() }

    /// Waits for this on a descriptor from now on; `key` names it.
    package func set(
        _ interest: Interest,
        for target: Int32,
        key: Int
    ) throws(TransportError) {
        let known = interests[target]
        if let known, known == (interest, key) { return }
        interests[target] = (interest, key)
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
    }

    /// Waits for the descriptor no longer; to be called before it is closed.
    package func remove(_ target: Int32) {
        guard interests.removeValue(forKey: target) != nil else { return }
        #if os(Linux)
            var event = epoll_event()
            epoll_ctl(descriptor, EPOLL_CTL_DEL, target, &event)
        #endif
    }

    /// Waits until a descriptor is ready, somebody rings, or the deadline has passed; collects the
    /// keys of the ready ones.
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
        if let rung = ready.firstIndex(where: { $0.key == Self.alarmKey }) {
            ready.remove(at: rung)
            alarm.silence()
        }
    }
}

#if os(Linux)
    extension Interest {
        /// An ended or failed descriptor is ready for everything.
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

/// A descriptor that is readable from a ring until it is silenced.
private final class Alarm: Sendable {
    let descriptor: Int32
    private let writer: Int32

    init() throws(TransportError) {
        (descriptor, writer) = try SystemCalls.makeEvent()
    }

    deinit {
        SystemCalls.close(descriptor)
        if writer != descriptor { SystemCalls.close(writer) }
    }

    func ring() { SystemCalls.signalEvent(writer) }

    func silence() {
        var count: UInt64 = 0
        while case .success(let read) = SystemCalls.retrying({
            systemRead(descriptor, &count, MemoryLayout.size(ofValue: count))
        }), read > 0, writer != descriptor {}
    }
}

private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int
{
    read(descriptor, bytes, count)
}
