import Foundation
import TestSupport
import Testing
import WebSocketClient

/// The program of the article MarketFeedRecorder, against another project's feed server.
@Suite("The market feed recorder", .blocking, .needs(.python))
struct RecorderTests {
    private let folder: TemporaryFolder
    private let server: ServerProcess

    init() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("1000", to: "end")
        self.folder = folder
        server = try Counterpart.process(running: "feed_server.py") { port, _ in
            ["\(port)", folder.path]
        }
    }

    private var file: String { "\(folder.path)/ticks" }

    private func lines() throws -> [Substring] {
        try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
    }

    private func start() throws -> RunningProgram {
        let variables = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map { ($0, "") }
        return try RunningProgram(
            RunningProgram.built("recorder"),
            ["ws://127.0.0.1:\(server.port)/", file],
            on: .pipes,
            environment: Dictionary(uniqueKeysWithValues: variables)
        )
    }

    private func record(upTo last: Int) throws -> (status: Int32, output: String) {
        let program = try start()
        let isDone = eventually {
            (try? lines().last?.hasPrefix("\(last) ")) == true
        }
        #expect(isDone)
        program.send(signal: SIGINT)
        let status = try program.waitForExit()
        return (status, try program.output.takeAll())
    }

    private func expectAll(_ last: Int) throws {
        let numbers = try lines().map { Int($0.prefix { $0 != " " }) }
        let wrong = zip(numbers, 1...).first { $0 != $1 }
        #expect(wrong == nil && numbers.count == last, "\(numbers.count) lines")
    }

    @Test("Nothing is lost or recorded twice, over lost connections, SIGINT and a crash")
    func recording() throws {
        let (status, output) = try record(upTo: 1000)
        #expect(status == 0)
        #expect(output.hasPrefix("recorded up to 1000: "))
        #expect(!output.contains(" 0 reconnections"))
        try expectAll(1000)

        // As after a crash: half a line more.
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("1001 AB".utf8))
        try handle.close()
        _ = try folder.write("1200", to: "end")
        #expect(try record(upTo: 1200).status == 0)
        try expectAll(1200)
    }
}
