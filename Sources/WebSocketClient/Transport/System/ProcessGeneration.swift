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

/// Tells a forked child from its parent: what the parent has opened, drawn or started isn't the
/// child's to use.
///
/// A value taken before fork(2) differs from `current` in the child. Asking costs one load.
enum ProcessGeneration {
    static var current: UInt32 {
        _ = isWatching
        return forks.load(ordering: .relaxed)
    }

    private static let forks = Atomic<UInt32>(0)

    /// The handler runs in the child, before fork(2) returns there.
    private static let isWatching: Bool =
        pthread_atfork(nil, nil) {
            ProcessGeneration.forks.wrappingAdd(1, ordering: .relaxed)
        } == 0
}
