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

/// The attributes that show whether a file has been replaced.
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

/// A file to which many threads and processes may append lines.
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

    /// Appends with one write(2), so that the lines of several writers don't mix.
    func append(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = SystemCalls.retrying { write(descriptor, bytes, bytes.count) }
    }
}

/// A file that is read from front to back.
package struct FileReader: ~Copyable {
    private let descriptor: Int32
    /// The size in bytes when it was opened; 0 if it has none, like a pipe.
    package let size: Int
    /// Once signalled, ends a waiting read with `.aborted`; nil for a regular file, where no read
    /// waits.
    package let interrupt: WakeUp?

    package init(path: String) throws(TransportError) {
        (descriptor, size, interrupt) = try Self.open(path)
    }

    private static func open(
        _ path: String
    ) throws(TransportError) -> (descriptor: Int32, size: Int, interrupt: WakeUp?) {
        // Without O_NONBLOCK, a pipe without a writer would wait here, and nothing could end the wait.
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

    /// Goes on reading at an offset in bytes, which may lie beyond the end; only for regular files.
    package func seek(to offset: Int) throws(TransportError) {
        guard lseek(descriptor, off_t(offset), SEEK_SET) >= 0 else {
            throw .system(call: "lseek", .current)
        }
    }

    /// Fills the buffer as far as the file goes; returns the number of bytes.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
        var filled = 0
        while filled < buffer.count {
            if let interrupt {
                // Wait first, as a pipe that nobody has opened for writing yet looks as if it had
                // ended.
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
