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

    /// Makes the file, for its owner alone, if it isn't there; `nil` if that can't be done.
    init?(path: String) {
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
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
