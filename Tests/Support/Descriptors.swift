import Foundation
import WebSocketClient

/// The open descriptors and the threads of this process.
package enum Descriptors {
    /// The targets of the open descriptors, such as `socket:[12345]`.
    package static var open: [String] {
        let folder = "/proc/self/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { identity(of: "\(folder)/\($0)") }
    }

    /// A descriptor's target, in a form that is unique to the socket.
    package static func identity(of descriptor: Int32) -> String? {
        identity(of: "/proc/self/fd/\(descriptor)")
    }

    private static func identity(of path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    /// Whether the system would take a byte for it at once.
    package static func isWritable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLOUT) != 0
    }

    /// How many threads run in this process.
    package static var threads: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }
}

/// Waits until `condition` holds; false if it didn't in time.
package func eventually(
    within limit: Duration = .ample,
    _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = Deadline.after(limit)
    while try !condition() {
        if deadline.isPast { return false }
        pause(.milliseconds(2))
    }
    return true
}
