#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// The facts by which a replaced file is noticed.
struct FileStamp: Hashable, Sendable {
    let isDirectory: Bool
    var isEmpty: Bool { size == 0 }
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// `nil` if there is no such file, or it can't be examined.
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

/// A file to which any thread and any process may append lines.
final class LogFile: Sendable {
    private let descriptor: Int32

    /// Creates the file, readable only by its owner, if it isn't there.
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
    /// Ends a read that waits with `.aborted`, once signalled; nil for a regular file, which never waits
    /// for anybody.
    package let interrupt: WakeUp?

    package init(path: String) throws(TransportError) {
        (descriptor, size, interrupt) = try Self.open(path)
    }

    private static func open(
        _ path: String
    ) throws(TransportError) -> (descriptor: Int32, size: Int, interrupt: WakeUp?) {
        // A pipe without a writer would wait for one here, where nothing could end the wait.
        let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(call: "open \(path)", .current) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            do throws(TransportError) {
                return (descriptor, 0, try WakeUp())
            } catch {
                SystemCalls.close(descriptor)
                throw error
            }
        }
        return (descriptor, Int(status.st_size), nil)
    }

    deinit {
        SystemCalls.close(descriptor)
    }

    /// Goes on reading at an offset in bytes, which may lie behind the end; not for what isn't a file.
    package func seek(to offset: Int) throws(TransportError) {
        guard lseek(descriptor, off_t(offset), SEEK_SET) >= 0 else {
            throw .system(call: "lseek", .current)
        }
    }

    /// Fills the buffer as far as the file goes, and returns how far.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
        var filled = 0
        while filled < buffer.count {
            if let interrupt {
                // First, as a pipe that nobody has opened for writing yet looks like one at its end.
                _ = try Poll.wait(for: .read, on: descriptor, wakeUp: interrupt, until: .never)
            }
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            switch SystemCalls.retrying({ systemRead(descriptor, rest) }) {
            case .success(0): return filled
            case .success(let count): filled += count
            case .failure(let error) where interrupt != nil && error.isWouldBlock: continue
            case .failure(let error): throw .system(call: "read", error)
            }
        }
        return filled
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}

private func systemOpen(_ path: String, _ flags: Int32) -> Int32 {
    open(path, flags)
}
