import Glibc
import WebSocketClient

/// A program's output, read piece by piece.
package final class OutputReader {
    private let descriptor: Int32
    private var bytes: [UInt8] = []
    private var isAtEnd = false

    /// Owns the descriptor.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Output that has been read but not taken.
    package var pending: String { String(decoding: bytes, as: UTF8.self).debugDescription }

    /// Takes exactly this text, which must come next.
    package func expect(_ text: String, within limit: Duration = .ample) throws {
        let expected = Array(text.utf8)
        let deadline = Deadline.after(limit)
        while bytes.count < expected.count, try read(until: deadline) {}
        guard bytes.starts(with: expected) else {
            throw SupportError("instead of \(text.debugDescription) came \(pending)")
        }
        bytes.removeFirst(expected.count)
    }

    /// Takes everything up to and including this text, and returns it.
    @discardableResult
    package func take(through text: String, within limit: Duration = .ample) throws -> String {
        let wanted = Array(text.utf8)
        let deadline = Deadline.after(limit)
        while true {
            if let end = bytes.end(of: wanted) {
                defer { bytes.removeFirst(end) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            guard try read(until: deadline) else {
                throw SupportError("instead of \(text.debugDescription) came \(pending)")
            }
        }
    }

    /// Takes everything up to the end.
    package func takeAll(within limit: Duration = .ample) throws -> String {
        let deadline = Deadline.after(limit)
        while try read(until: deadline) {}
        guard isAtEnd else { throw SupportError("no end came after \(pending)") }
        defer { bytes = [] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// False at the end, or when time is up.
    private func read(until deadline: Deadline) throws -> Bool {
        guard !isAtEnd else { return false }
        var entries = [PollEntry(descriptor, for: .read)]
        guard try Poll.wait(for: &entries, wakeUp: nil, until: deadline) else { return false }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        // A terminal whose program has gone returns EIO.
        guard count > 0 else {
            isAtEnd = true
            return false
        }
        bytes += buffer[..<count]
        return true
    }
}

extension [UInt8] {
    fileprivate func end(of wanted: [UInt8]) -> Int? {
        guard !wanted.isEmpty, count >= wanted.count else { return nil }
        for start in 0...count - wanted.count where self[start] == wanted[0] {
            if self[start..<start + wanted.count].elementsEqual(wanted) {
                return start + wanted.count
            }
        }
        return nil
    }
}
