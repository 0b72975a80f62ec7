import Synchronization

/// A stretch of memory that connections borrow while they move bytes, and give back when idle.
///
/// An idle connection owns no buffers: a thousand of them cost what the busy ones need. The size
/// fits the second-level cache, so that what has been masked is still there when it is sent: smaller
/// writes cost more calls, and larger ones gain little more where that cache is large, and lose where
/// it isn't. There is extra room for headers, or a message of 1 MiB would need a fifth write for 14
/// bytes.
///
/// It is an address, not an object: counting its references would take longer than framing a small
/// message.
struct IOBuffer: ~Copyable, @unchecked Sendable {
    // Safe to send: a buffer has one owner at a time, and is handed over by an atomic exchange or
    // under the pool's lock.
    private struct Contents: ~Copyable {
        let base = UnsafeMutableRawPointer.allocate(byteCount: IOBuffer.size, alignment: 64)
        /// Masking keys travel with the buffer, so that they too are drawn in bulk.
        var keys = MaskingKeys()
        /// Storage for text to be joined in: getting new memory for each large message takes longer
        /// than receiving and checking it, as each page of it faults.
        var textStorage: [UInt8] = []

        deinit { base.deallocate() }
    }

    static let size = (256 << 10) + 64
    /// The address of the buffer that was given back last, or 0: a sender of single messages takes no
    /// lock for it.
    private static let last = Atomic<UInt>(0)
    /// The addresses of the other free buffers.
    private static let pool = Locked<[UInt]>([])
    private static let maximumKept = 64

    private let contents: UnsafeMutablePointer<Contents>

    private init() {
        contents = .allocate(capacity: 1)
        contents.initialize(to: Contents())
    }

    /// The buffer at an address that `release` returned.
    private init(_ address: UInt) {
        // Never 0: the callers check that.
        contents = UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped
    }

    private consuming func release() -> UInt {
        let address = UInt(bitPattern: contents)
        discard self
        return address
    }

    deinit {
        contents.deinitialize(count: 1)
        contents.deallocate()
    }

    var base: UnsafeMutableRawPointer { contents.pointee.base }

    var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base, count: Self.size)
    }

    var keys: MaskingKeys {
        _read { yield contents.pointee.keys }
        nonmutating _modify { yield &contents.pointee.keys }
    }

    var textStorage: [UInt8] {
        _read { yield contents.pointee.textStorage }
        nonmutating _modify { yield &contents.pointee.textStorage }
    }

    /// The buffer that was given back last, as it is still in cache, or a new one.
    static func borrow() -> IOBuffer {
        let address = last.exchange(0, ordering: .acquiringAndReleasing)
        if address != 0 { return IOBuffer(address) }
        return pool.withLock { $0.popLast() }.map { IOBuffer($0) } ?? IOBuffer()
    }

    static func giveBack(_ buffer: consuming IOBuffer) {
        let address = last.exchange(buffer.release(), ordering: .acquiringAndReleasing)
        guard address != 0 else { return }
        let isKept = pool.withLock { addresses in
            guard addresses.count < maximumKept else { return false }
            addresses.append(address)
            return true
        }
        if !isKept { _ = IOBuffer(address) }
    }
}
