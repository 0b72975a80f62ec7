import Glibc

/// Where the work is done: two page-aligned megabytes, and the text in the first.
struct Buffers {
    static let capacity = 1 << 20

    let source: UnsafeMutableRawPointer
    let destination: UnsafeMutableRawPointer

    init() {
        // Room for a header in front of the destination, and for a text that is a bit longer.
        let room = Self.capacity + 2 * 4096
        source = .allocate(byteCount: room, alignment: 4096)
        destination = .allocate(byteCount: room, alignment: 4096)
        source.initializeMemory(as: UInt8.self, repeating: 0x2E, count: room)
        destination.initializeMemory(as: UInt8.self, repeating: 0x2E, count: room)
    }

    /// Fills the source from a file, up to `size` bytes, and returns how many whole code points take.
    func load(_ path: String, size: Int) -> Int? {
        guard size <= Self.capacity, let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        guard fread(source, 1, size + 1, file) == size + 1 else { return nil }
        var end = size
        while end > 0, source.load(fromByteOffset: end, as: UInt8.self) & 0xC0 == 0x80 {
            end -= 1
        }
        return end
    }
}
