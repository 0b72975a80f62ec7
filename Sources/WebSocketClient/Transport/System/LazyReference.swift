import Synchronization

/// A reference that is set once, by whichever thread comes first, and never changes again.
///
/// Does what `AtomicLazyReference` does, but inlined into its caller: a load is one instruction, and
/// visible to ThreadSanitizer, which doesn't see into the standard library.
struct LazyReference<Value: AnyObject & Sendable>: ~Copyable, Sendable {
    /// The object's address, or 0. One reference to it is held here, so that it lives as long as this.
    private let address = Atomic<UInt>(0)

    deinit { Self.unmanaged(address.load(ordering: .acquiring))?.release() }

    /// The stored value, if there is one.
    @inline(__always)
    func load() -> Value? {
        Self.unmanaged(address.load(ordering: .acquiring))?.takeUnretainedValue()
    }

    /// Stores a value unless another has been stored; returns the one that is there now.
    func storeIfNil(_ value: Value) -> Value {
        let ours = Unmanaged.passRetained(value)
        let (isStored, former) = address.compareExchange(
            expected: 0,
            desired: UInt(bitPattern: ours.toOpaque()),
            ordering: .acquiringAndReleasing
        )
        if isStored { return value }
        ours.release()
        return Self.unmanaged(former)?.takeUnretainedValue() ?? value
    }

    @inline(__always)
    private static func unmanaged(_ address: UInt) -> Unmanaged<Value>? {
        UnsafeRawPointer(bitPattern: address).map(Unmanaged.fromOpaque)
    }
}
