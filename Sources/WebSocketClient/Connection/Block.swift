import Synchronization

/// A stretch of memory that connections borrow while they move bytes, and give back when idle.
///
/// An idle connection owns no buffers: a thousand of them cost what the busy ones need. The size
/// fits the second-level cache, so that what has been masked is still there when it is sent: smaller
/// writes cost more calls, and larger ones gain little more where that cache is large, and lose where
/// it isn't. Headers have room besides, or a message of 1 MiB would need a fifth write for 14 bytes.
final class Block: @unchecked Sendable {
    // Safe to send: a block has one owner at a time, handed over under the pool's lock.
    static let size = (256 << 10) + 64
    /// The address of the block that was given back last, or 0: a sender of single messages takes no
    /// lock for it.
    private static let last = Atomic<UInt>(0)
    private static let pool = Locked<[Block]>([])
    private static let maximumKept = 64

    let base: UnsafeMutableRawPointer
    /// Masking keys travel with the block, so that they too are drawn in bulk.
    let keys = OwnedState(MaskingKeys())
    /// Storage for text to be joined in: getting new memory for each large message takes longer than
    /// receiving and checking it, as each page of it faults.
    let textStorage = OwnedState([UInt8]())

    private init() {
        base = .allocate(byteCount: Self.size, alignment: 64)
    }

    deinit {
        base.deallocate()
    }

    var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base, count: Self.size)
    }

    /// The block that was given back last, as it is still in cache, or a new one.
    static func borrow() -> Block {
        if let block = exchangeLast(with: nil) { return block }
        return pool.withLock { $0.popLast() } ?? Block()
    }

    static func giveBack(_ block: consuming Block) {
        guard let block = exchangeLast(with: block) else { return }
        pool.withLock { blocks in
            if blocks.count < maximumKept { blocks.append(block) }
        }
    }

    private static func exchangeLast(with block: consuming Block?) -> Block? {
        let new = block.map { UInt(bitPattern: Unmanaged.passRetained($0).toOpaque()) } ?? 0
        let old = last.exchange(new, ordering: .acquiringAndReleasing)
        return UnsafeRawPointer(bitPattern: old).map {
            Unmanaged<Block>.fromOpaque($0).takeRetainedValue()
        }
    }
}
