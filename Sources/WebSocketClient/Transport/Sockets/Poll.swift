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

/// One descriptor among several to wait for.
package struct PollEntry: Sendable {
    package let descriptor: Int32
    package let interest: Interest
    /// Set by `Poll.wait`: ready, ended or failed, so the next call on it will not block.
    package fileprivate(set) var isReady = false

    package init(_ descriptor: Int32, for interest: Interest) {
        self.descriptor = descriptor
        self.interest = interest
    }
}

/// poll(2) with deadlines.
package enum Poll {
    /// Waits until one of `entries` is ready, and marks those that are.
    ///
    /// Returns false if the deadline passed; true with no entry marked if `wakeUp` was nudged. Throws
    /// `.aborted` once `wakeUp` is signalled.
    package static func wait(
        for entries: inout [PollEntry],
        wakeUp: WakeUp?,
        until deadline: Deadline
    ) throws(TransportError) -> Bool {
        var descriptors = entries.map { pollfd($0.descriptor, for: $0.interest) }
        if let wakeUp { descriptors.append(pollfd(wakeUp.descriptor, for: .read)) }
        let ready = try descriptors.withUnsafeMutableBufferPointer {
            pointer throws(TransportError) in try poll(pointer, until: deadline)
        }
        if let wakeUp {
            if descriptors.last?.revents != 0 { wakeUp.takeNudge() }
            if wakeUp.isSignalled { throw .aborted }
        }
        for index in entries.indices {
            entries[index].isReady = descriptors[index].revents != 0
        }
        return ready
    }

    /// Waits for one descriptor, without an allocation; returns its readiness, the empty set if
    /// `wakeUp` was nudged, and `nil` if the deadline passed.
    package static func wait(
        for interest: Interest,
        on descriptor: Int32,
        wakeUp: WakeUp,
        until deadline: Deadline
    ) throws(TransportError) -> Interest? {
        let result = withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) {
            descriptors -> Result<Interest?, TransportError> in
            descriptors.initializeElement(at: 0, to: pollfd(descriptor, for: interest))
            descriptors.initializeElement(at: 1, to: pollfd(wakeUp.descriptor, for: .read))
            return Result { () throws(TransportError) in
                guard try poll(descriptors, until: deadline) else { return nil }
                if descriptors[1].revents != 0 { wakeUp.takeNudge() }
                return descriptors[0].readiness.intersection(interest)
            }
        }
        let ready = try result.get()
        if wakeUp.isSignalled { throw .aborted }
        return ready
    }

    private static func poll(
        _ descriptors: UnsafeMutableBufferPointer<pollfd>,
        until deadline: Deadline
    ) throws(TransportError) -> Bool {
        while true {
            // Not `retrying`: after a signal, less time is left.
            let count = systemPoll(
                descriptors.baseAddress,
                nfds_t(descriptors.count),
                deadline.pollMilliseconds
            )
            if count > 0 { return true }
            if count < 0 {
                let error = ErrorNumber.current
                guard error == .interrupted else { throw .system(call: "poll", error) }
            } else if deadline.isPast {
                return false
            }
        }
    }
}

private func systemPoll(
    _ descriptors: UnsafeMutablePointer<pollfd>?,
    _ count: nfds_t,
    _ milliseconds: Int32
) -> Int32 {
    poll(descriptors, count, milliseconds)
}

extension pollfd {
    fileprivate init(_ descriptor: Int32, for interest: Interest) {
        var events: Int32 = 0
        if interest.contains(.read) { events |= POLLIN }
        if interest.contains(.write) { events |= POLLOUT }
        self.init(fd: descriptor, events: Int16(events), revents: 0)
    }

    /// The directions in which a call would not block; a descriptor that has ended or failed is ready
    /// for everything.
    fileprivate var readiness: Interest {
        let events = Int32(revents)
        if events & (POLLHUP | POLLERR | POLLNVAL) != 0 { return [.read, .write] }
        var ready: Interest = []
        if events & POLLIN != 0 { ready.insert(.read) }
        if events & POLLOUT != 0 { ready.insert(.write) }
        return ready
    }
}
