import Foundation
import TestSupport
import Testing
import WebSocketClient

@Suite("loopback-server", .blocking)
struct LoopbackServerTests {
    private func run(_ arguments: String...) throws -> RunningProgram {
        try RunningProgram(RunningProgram.built("loopback-server"), arguments, on: .pipes)
    }

    @Test("--help lists the routes and their parameters, and serves nothing")
    func help() throws {
        let program = try run("--help")
        let help = try program.output.takeAll()
        #expect(try program.waitForExit() == 0)
        for words in ["/echo", "/sink?count=N", "/source?count=N&size=S&type=text", "<port>"] {
            #expect(help.contains(words), "\(words)")
        }
        for line in help.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }

    @Test("An invalid port is refused", arguments: ["65536", "-1", "http", ""])
    func unusablePort(port: String) throws {
        let program = try run("--", port)
        #expect(try program.errors.takeAll().hasPrefix("Error: The value '\(port)' is invalid"))
        #expect(try program.waitForExit() == 64)
        #expect(try program.output.takeAll().isEmpty)
    }

    @Test("A port that is in use is an error")
    func takenPort() throws {
        let listener = try Listener()
        defer { listener.close() }
        let program = try run("\(listener.port)")
        let errors = try program.errors.takeAll()
        #expect(errors.contains("Address already in use"), "\(errors)")
        #expect(try program.waitForExit() == 1)
    }

    @Test("Started without standard streams, it serves as usual")
    func closedDescriptors() throws {
        let path = try RunningProgram.built("loopback-server")
        // The server can't print its port, so it gets one that was free just now, below the range from
        // which the system chooses.
        let port = UInt16.random(in: 12_000..<32_000)
        let listener = try Listener(port: port)
        listener.close()
        let shell = "exec \(path) \(port) <&- >&- 2>&-"
        let program = try RunningProgram("/bin/sh", ["-c", shell], on: .pipes)
        let answer = try eventually {
            let url = "ws://127.0.0.1:\(port)/"
            guard let socket = try? WebSocket.connect(to: url) else { return false }
            try socket.send("hello")
            return try socket.receive() == .text("hello")
        }
        #expect(answer)
        program.send(signal: SIGKILL)
    }

    @Test("During a shortage of descriptors, clients wait and the processor idles")
    func shortage() throws {
        let path = try RunningProgram.built("loopback-server")
        let shell = "ulimit -n 24; exec \(path)"
        let program = try RunningProgram("/bin/sh", ["-c", shell], on: .pipes)
        let line = try program.output.take(through: "/\n")
        let url = String(line.dropFirst("listening on ".count).dropLast())
        let port = UInt16(url.split(separator: ":").last?.dropLast() ?? "") ?? 0
        let plan = ConnectPlan(target: .host("127.0.0.1", port: port), serverName: "127.0.0.1")
        var clients = try (0..<30).map { _ in try Connector.connect(plan, wakeUp: WakeUp()) }
        // Each takes two descriptors, and there are 24.
        let isShort = try eventually { try program.openDescriptors() >= 23 }
        #expect(isShort)
        let before = try program.processorTime()
        pause(.seconds(1))
        #expect(try program.processorTime() - before < 0.3)
        clients.forEach { $0.abort() }
        clients = []
        let socket = try WebSocket.connect(to: url)
        try socket.send("hello")
        #expect(try socket.receive() == .text("hello"))
        socket.abort()
    }
}
