import Synchronization

/// The search for leaks at the end of a process, under AddressSanitizer.
package enum Leaks {
    fileprivate static let areIgnored = Atomic<Bool>(false)

    /// For the body of an exit test: otherwise, memory that its threads still hold when it exits would
    /// count as a leak and change its exit status. The tests' own process still checks for leaks.
    package static func ignoreInThisProcess() {
        areIgnored.store(true, ordering: .sequentiallyConsistent)
    }
}

/// The leak checker asks this before it begins.
@_cdecl("__lsan_is_turned_off")
package func isLeakCheckerTurnedOff() -> Int32 {
    Leaks.areIgnored.load(ordering: .sequentiallyConsistent) ? 1 : 0
}
