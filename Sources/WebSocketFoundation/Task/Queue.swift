/// First in, first out, with both ends in constant time on average.
struct Queue<Element: Sendable>: Sendable {
    private var elements: [Element?] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let first = elements[head].take()
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: head <= 64)
            head = 0
        } else if head > 64, head > elements.count / 2 {
            elements.removeFirst(head)
            head = 0
        }
        return first
    }

    mutating func removeFirst(where isWanted: (Element) -> Bool) -> Element? {
        for index in head..<elements.count {
            guard let element = elements[index], isWanted(element) else { continue }
            elements.remove(at: index)
            if isEmpty { removeAll() }
            return element
        }
        return nil
    }

    /// Empties the queue and returns what was in it.
    @discardableResult
    mutating func removeAll() -> [Element] {
        defer {
            elements = []
            head = 0
        }
        return elements[head...].compactMap(\.self)
    }
}
