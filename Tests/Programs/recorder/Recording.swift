import Foundation
import Synchronization

/// The recorded file: one line for each message, which begins with its number in the feed.
final class Recording: Sendable {
    private struct State {
        let file: FileHandle
        var last: Int
        /// How many messages have come since the next one has been missing.
        var early = 0
    }

    private let state: Mutex<State>

    /// The number of the last message that is in the file; zero for an empty one.
    var last: Int { state.withLock { $0.last } }

    /// Opens a file to go on with it. A last line that a crash has left unfinished is cut off.
    init(path: String) throws {
        if !FileManager.default.fileExists(atPath: path) {
            try Data().write(to: URL(fileURLWithPath: path))
        }
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let newline = UInt8(ascii: "\n")
        let size = try file.seekToEnd()
        try file.seek(toOffset: size - min(size, 64 << 10))
        var end = try file.readToEnd() ?? Data()
        let cut = end.reversed().prefix { $0 != newline }.count
        try file.truncate(atOffset: size - UInt64(cut))
        end.removeLast(cut)
        let line = end.split(separator: newline).last ?? Data()
        let number = Int(String(decoding: line.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
        state = Mutex(State(file: file, last: number ?? 0))
    }

    /// Adds a message, unless it is there already; false if messages before it are missing, and have to be
    /// asked for.
    func add(_ message: String) throws -> Bool {
        let number = message.split(separator: " ").first.flatMap { Int($0) } ?? 0
        return try state.withLock { state in
            if number > state.last + 1 {
                // Many more may be on their way: ask once, and again if a thousand have gone by.
                state.early += 1
                return state.early % 1000 != 1
            }
            if number == state.last + 1 {
                try state.file.write(contentsOf: Data((message + "\n").utf8))
                state.last = number
                state.early = 0
            }
            return true
        }
    }
}
