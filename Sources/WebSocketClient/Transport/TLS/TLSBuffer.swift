/// Ciphertext in the order of arrival: appended at one end, taken at the other.
///
/// It frees its memory when it is empty, so an idle connection holds none.
struct TLSBuffer: ~Copyable, @unchecked Sendable {
    // Unchecked because of the pointer, which nothing else holds.
    private var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    deinit {
        storage.deallocate()
    }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// The bytes that have not been taken; valid until the next change.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[start..<end])
    }

    /// Removes bytes from the front.
    mutating func removeFirst(_ count: Int) {
        start += count
        guard start == end else { return }
        start = 0
        end = 0
        releaseIfEmpty()
    }

    /// Frees the memory unless there are bytes in it.
    mutating func releaseIfEmpty() {
        guard isEmpty else { return }
        storage.deallocate()
        storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    /// Free space behind the bytes, at least `minimum`; to be followed by `didAppend`.
    mutating func space(atLeast minimum: Int) -> UnsafeMutableRawBufferPointer {
        if storage.count - end < minimum { makeSpace(minimum) }
        return UnsafeMutableRawBufferPointer(rebasing: storage[end...])
    }

    /// Counts bytes that were written to the start of `space`.
    mutating func didAppend(_ count: Int) {
        end += count
    }

    /// Makes room for `count` bytes, so that `append` doesn't grow in steps.
    mutating func reserve(_ count: Int) {
        _ = space(atLeast: count)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        space(atLeast: bytes.count).copyMemory(from: bytes)
        didAppend(bytes.count)
    }

    private mutating func makeSpace(_ minimum: Int) {
        let needed = count + minimum
        // Move only if that frees half; otherwise a nearly full buffer would be moved again and again.
        let target =
            needed <= storage.count / 2
            ? storage
            : UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(needed, storage.count * 2, 4096),
                alignment: 16
            )
        target.copyMemory(from: bytes)
        (start, end) = (0, count)
        if target.baseAddress != storage.baseAddress {
            storage.deallocate()
            storage = target
        }
    }
}
