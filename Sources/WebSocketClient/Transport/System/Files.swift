#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What tells that a file was replaced.
struct FileStamp: Hashable, Sendable {
    let isDirectory: Bool
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// `nil` if there is no such file, or none that can be looked at.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        #if os(Linux)
            seconds = Int(status.st_mtim.tv_sec)
            nanoseconds = Int(status.st_mtim.tv_nsec)
        #else
            seconds = Int(status.st_mtimespec.tv_sec)
            nanoseconds = Int(status.st_mtimespec.tv_nsec)
        #endif
    }
}

/// A file that lines are appended to, by any thread and any process.
final class LogFile: Sendable {
    private let descriptor: Int32

    /// Makes the file, for its owner alone, if it isn't there.
    init(path: String) throws(ErrorNumber) {
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .current }
    }

    deinit {
        SystemCalls.close(descriptor)
    }

    /// Appends with one write(2), so that lines of several writers don't mix.
    func append(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = SystemCalls.retrying { write(descriptor, bytes, bytes.count) }
    }
}

/// A file that is read from front to back.
package struct FileReader: ~Copyable {
    private let descriptor: Int32
    /// The size when it was opened, in bytes; 0 for what has none, such as a pipe.
    package let size: Int

    package init(path: String) throws(TransportError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(call: "open \(path)", .current) }
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    deinit {
        SystemCalls.close(descriptor)
    }

    /// Fills the buffer as far as the file goes, and returns how far.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            switch SystemCalls.retrying({ systemRead(descriptor, rest) }) {
            case .success(0): return filled
            case .success(let count): filled += count
            case .failure(let error): throw .system(call: "read", error)
            }
        }
        return filled
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}
