/// Keys with deadlines, the earliest first: a binary heap.
///
/// Entries are removed only from the front: a changed deadline is another entry, and the old one does
/// no harm when it comes up.
struct TimerQueue {
    private var heap: [(deadline: Deadline, key: Int)] = []

    var earliest: Deadline { heap.first?.deadline ?? .never }

    mutating func add(_ deadline: Deadline, key: Int) {
        guard deadline != .never else { return }
        heap.append((deadline, key))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// The key whose deadline passed first.
    mutating func popPast(at now: Deadline) -> Int? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            guard least != parent else { return first.key }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
