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

/// Distinguishes a forked child from its parent: the child must not use connections, random numbers and
/// threads of the parent.
///
/// A value taken before fork(2) isn't `isCurrent` in the child.
struct ProcessGeneration {
    private let number: UInt32
    /// The process, where its forks can't be counted; otherwise 0.
    private let process: pid_t

    /// The generation of this process. From the first call on, each fork(2) begins another one in the
    /// child.
    static var current: ProcessGeneration { ProcessGeneration(countsForks: isCounting) }

    init(countsForks: Bool) {
        // Nobody forks as often as the largest number says.
        number = countsForks ? Self.forks.load(ordering: .relaxed) : .max
        process = countsForks ? 0 : getpid()
    }

    /// Whether this is still the process in which the value was taken. Costs one load: whoever has a value
    /// got it from `current`, so forks are being counted, or else the system is asked.
    @inline(__always)
    var isCurrent: Bool { number == Self.forks.load(ordering: .relaxed) || isSameProcess }

    @inline(never)
    private var isSameProcess: Bool { process != 0 && process == getpid() }

    private static let forks = Atomic<UInt32>(0)

    /// The handler runs in the child, before fork(2) returns there. Without memory it can't be set.
    private static let isCounting: Bool =
        pthread_atfork(nil, nil) {
            ProcessGeneration.forks.wrappingAdd(1, ordering: .relaxed)
        } == 0
}
