/// Received bytes that wait to be decoded, in storage that its owner lends and takes back.
///
/// Decoded bytes are consumed from the front; room for more is at the end. The pointer is a loan:
/// whoever calls ``lend(_:)`` keeps the storage alive until ``takeBack()``, and whatever points into
/// it is valid until the window next changes.
package struct ByteWindow: ~Copyable, @unchecked Sendable {
    // Safe to send: the window has one owner, and its storage belongs to it while lent.
    private var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    package init() {}

    package var isLent: Bool { storage.baseAddress != nil }
    package var isEmpty: Bool { start == end }
    package var count: Int { end - start }

    /// The bytes that wait.
    package var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: storage[start..<end])
    }

    /// The room behind them.
    package var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: storage[end...])
    }

    /// Puts storage under an empty window.
    package mutating func lend(_ storage: UnsafeMutableRawBufferPointer) {
        self.storage = storage
        start = 0
        end = 0
    }

    /// Takes the storage away; only an empty window may lose it.
    package mutating func takeBack() -> UnsafeMutableRawBufferPointer {
        defer { lend(UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
        return storage
    }

    package mutating func consume(_ count: Int) { start += count }

    package mutating func append(_ count: Int) { end += count }

    /// Moves what waits to the front, so that all the room is at the end. What a decoder leaves is
    /// less than a control frame, so this is cheap.
    package mutating func compact() {
        guard start > 0, let base = storage.baseAddress else { return }
        base.copyMemory(from: base + start, byteCount: count)
        end -= start
        start = 0
    }
}
