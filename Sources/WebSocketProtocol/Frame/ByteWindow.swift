/// Received bytes that wait to be decoded, in storage that the owner lends and takes back.
///
/// Decoded bytes are consumed from the front; room for more is at the end. The storage is borrowed: the
/// caller of ``lend(_:)`` keeps it alive until ``takeBack()``. Pointers into it are valid until the
/// window next changes.
package struct ByteWindow: ~Copyable, @unchecked Sendable {
    // Safe to send: the window has one owner, and while the storage is lent, it belongs to the window.
    private var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    package init() {}

    package var isLent: Bool { storage.baseAddress != nil }
    package var isEmpty: Bool { start == end }
    package var count: Int { end - start }

    /// The bytes to decode.
    package var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: storage[start..<end])
    }

    /// The room behind them.
    package var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: storage[end...])
    }

    /// Gives storage to an empty window.
    package mutating func lend(_ storage: UnsafeMutableRawBufferPointer) {
        self.storage = storage
        start = 0
        end = 0
    }

    /// Takes the storage back; the window must be empty.
    package mutating func takeBack() -> UnsafeMutableRawBufferPointer {
        defer { lend(UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
        return storage
    }

    package mutating func consume(_ count: Int) { start += count }

    package mutating func append(_ count: Int) { end += count }

    /// Moves the bytes to the front, so that all the room is at the end. A decoder leaves less than a
    /// control frame, so this is cheap.
    package mutating func compact() {
        guard start > 0, let base = storage.baseAddress else { return }
        base.copyMemory(from: base + start, byteCount: count)
        end -= start
        start = 0
    }
}
