import Synchronization

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

/// Tells a process from the one it was forked from: what must not be the same in both, such as random
/// bytes drawn ahead, is good only in the generation in which it was made.
enum ForkGeneration {
    private static let number = Atomic<UInt>(1)

    /// The generation of this process, to compare with one that `register` returned. Costs one load.
    @inline(__always)
    static var current: UInt { number.load(ordering: .relaxed) }

    /// The same, and from here on each fork(2) begins another one in the child.
    static func register() -> UInt {
        _ = isRegistered
        return current
    }

    private static let isRegistered: Bool =
        pthread_atfork(nil, nil, { ForkGeneration.number.add(1, ordering: .relaxed) }) == 0
}
