/// State that one thread at a time may touch, because it holds a turn or owns the enclosing object.
///
/// It lies in memory of its own, as each access to a property of a class is checked for exclusivity at
/// run time: for small messages, that took more time than framing and masking them together. Safe
/// because its owner guarantees exclusivity by a lock or by ownership.
struct OwnedState<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    /// For callers that need more than one access; valid for as long as this value.
    let pointer: UnsafeMutablePointer<State>

    init(_ state: consuming State) {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: state)
    }

    deinit {
        pointer.deinitialize(count: 1)
        pointer.deallocate()
    }

    var value: State {
        _read { yield pointer.pointee }
        nonmutating _modify { yield &pointer.pointee }
    }
}
