import Foundation
import LoopbackServer
import TestSupport
import Testing
import WebSocketClient

@testable import wsdump

@Suite("wsdump --bench", .blocking)
struct BenchTests {
    @Test("Rates and percentiles come at the end")
    func table() throws {
        let program = try RunningProgram.wsdump("--bench", "1KiBx300", "--echo-server")
        let output = try program.output.takeAll()
        #expect(try program.waitForExit() == 0)
        let pattern =
            /300 messages of 1 KiB there and back in [0-9.]+ s\nrate +[0-9,]+ messages\/s, [0-9.]+ [KMG]?i?B\/s each way\nround trip  p50 .+, p90 .+, p99 .+, p99\.9 .+, max .+\n/
        #expect(output.wholeMatch(of: pattern) != nil, "\(output)")
        #expect(try program.errors.takeAll().isEmpty)
    }

    @Test("With --json, the figures are numbers that agree with each other")
    func json() throws {
        let program = try RunningProgram.wsdump(
            "--bench",
            "64KiBx50",
            "--bench-window",
            "4",
            "--json",
            "--echo-server"
        )
        let data = Data(try program.output.takeAll().utf8)
        let object = try JSONSerialization.jsonObject(with: data)
        let members = try #require(object as? [String: Any])
        #expect(members["size"] as? Int == 65536)
        #expect(members["count"] as? Int == 50)
        #expect(members["window"] as? Int == 4)
        let rate = try #require(members["messagesPerSecond"] as? Double)
        let seconds = try #require(members["seconds"] as? Double)
        #expect(abs(rate * seconds - 50) < 0.01)
        #expect(abs(try #require(members["bytesPerSecond"] as? Double) - rate * 65536) < 1)
        let times = try #require(members["roundTrip"] as? [String: Double])
        let ascending = ["p50", "p90", "p99", "p99.9", "max"].compactMap { times[$0] }
        #expect(ascending.count == 5 && ascending == ascending.sorted())
        #expect(ascending[0] > 0 && ascending[4] <= seconds)
    }

    @Test("On a terminal, a progress bar grows and disappears")
    func progress() throws {
        let program = try RunningProgram.wsdump(
            "--bench",
            "16KiBx400",
            "--echo-server",
            on: .terminal()
        )
        let output = try program.output.takeAll()
        #expect(output.contains("░"))
        #expect(output.contains("█ 100 %  "))
        let shown = try #require(output.split(separator: "\(escape)[K").last)
        #expect(shown.hasPrefix("400 messages of 16 KiB there and back"))
    }

    @Test("Ctrl-C ends it with status 130, and prints the results so far")
    func interrupt() throws {
        let program = try RunningProgram.wsdump(
            "--bench",
            "1KiBx100000000",
            "--echo-server",
            on: .terminal()
        )
        try program.output.take(through: "messages/s")
        #expect(try program.end() == 130)
        let output = try program.output.takeAll()
        #expect(output.contains(" messages of 1 KiB there and back in "))
        #expect(output.contains(" of 100000000 messages\r\n"))
    }

    @Test("A server that doesn't echo is reported in one clear line")
    func noEcho() throws {
        try withServer { connection in
            try connection.send(text: "welcome")
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump("--bench", "1x5", server.url())
            #expect(
                try program.errors.takeAll()
                    == "wsdump: the server doesn't echo: 7 bytes came back for 1\n"
            )
            #expect(try program.waitForExit() == 1)
        }
    }

    @Test("A server that sends other bytes of the same length isn't an echo server")
    func otherBytes() throws {
        try withServer { connection in
            for _ in 0..<200 { try connection.send(text: "x") }
            try connection.flush()
            while true { _ = try connection.nextPiece() }
        } run: { server in
            let program = try RunningProgram.wsdump("--bench", "1x200", server.url())
            #expect(
                try program.errors.takeAll()
                    == "wsdump: the server doesn't echo: other bytes came back\n"
            )
            #expect(try program.waitForExit() == 1)
        }
    }

    @Test("A message that comes back before it was sent has no departure time")
    func tooEarly() throws {
        let load = try #require(Bench.Load("1x2", window: 2))
        let server = try LoopbackServer()
        defer { server.stop() }
        let sender = BenchSender(load)
        #expect(sender.takeStart(of: 0) == nil)
        let socket = try WebSocket.connect(to: server.url())
        sender.send(to: socket)
        #expect(sender.takeStart(of: 0) != nil && sender.takeStart(of: 1) != nil)
        #expect(sender.takeStart(of: 2) == nil)
        socket.abort()
    }

    @Test("Loads are read with their units")
    func loads() throws {
        func load(_ text: String) -> [Int]? {
            Bench.Load(text, window: 1).map { [$0.size, $0.count] }
        }
        #expect(load("64KiBx10000") == [65536, 10000])
        #expect(load("1m*2") == [1 << 20, 2])
        #expect(load("0x1") == [0, 1])
        #expect(load("5kb×7") == [5000, 7])
        let refused = ["", "x", "5", "5x", "x5", "5x0", "5x-1", "5qx1", "1gx1x1", "2gx1", "9e9x1"]
        for text in refused { #expect(load(text) == nil, "\(text)") }
        #expect(load("99999999999999999999kx1") == nil)
        #expect(Bench.Load("1x1", window: 0) == nil)
    }

    @Test("A percentile is the smallest time that this percentage of messages didn't exceed")
    func percentiles() throws {
        let load = try #require(Bench.Load("1x100", window: 1))
        let result = Bench.Result(
            load: load,
            duration: .seconds(2),
            roundTrips: (1...100).reversed().map { .milliseconds($0) }
        )
        #expect(result.percentile(50) == .milliseconds(50))
        #expect(result.percentile(99) == .milliseconds(99))
        #expect(result.percentile(99.9) == .milliseconds(100))
        #expect(result.percentile(0) == .milliseconds(1))
        #expect(result.messagesPerSecond == 50)
        let empty = Bench.Result(load: load, duration: .seconds(1), roundTrips: [])
        #expect(empty.percentile(50) == .zero)
    }

    @Test("Figures have the unit that fits")
    func figures() {
        #expect(Report.size(1023) == "1023 B" && Report.size(1536) == "1.5 KiB")
        #expect(Report.size(65536) == "64 KiB" && Report.size(3e12) == "2.7 TiB")
        #expect(Report.time(.microseconds(7)) == "7 µs")
        #expect(Report.time(.microseconds(2_345)) == "2.35 ms")
        #expect(
            Report.time(.milliseconds(12)) == "12.0 ms" && Report.time(.seconds(610)) == "610 s"
        )
        #expect(Report.grouped(1) == "1" && Report.grouped(1_234_567) == "1,234,567")
        #expect(Report.decimal(.infinity, digits: 1) == "inf")
    }

    @Test("A bar is as full as the count, and fits its line", arguments: [30, 80, 200])
    func bars(width: Int) {
        for count in [0, 1, 50, 100] {
            let line = ProgressBar.line(
                count: count,
                total: 100,
                messagesPerSecond: 1000,
                bytesPerSecond: 1e6,
                width: width
            )
            let cells = line.filter { $0 == "█" || $0 == "░" }.count
            #expect(line.filter { $0 == "█" }.count == cells * count / 100)
            #expect(line.hasSuffix("\(count) %  1,000 messages/s  976.6 KiB/s"))
            if width > 60 { #expect(line.count < width) }
        }
    }
}
