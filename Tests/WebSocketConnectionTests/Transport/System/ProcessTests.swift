import Glibc
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("The process as a whole", .blocking)
struct ProcessTests {
    /// How often a program exits; the environment asks for more.
    private static let rounds =
        SystemCalls.environmentVariable("WEBSOCKET_EXIT_ROUNDS").flatMap { Int($0) } ?? 5

    @Test(
        "A program may call exit at any moment, whatever other threads are doing",
        arguments: [true, false]
    )
    func exits(isSecure: Bool) async throws {
        let certificates = try Certificates.shared.get()
        let files = [
            certificates.server.certificate, certificates.server.key,
            certificates.authority.certificate,
        ]
        for _ in 0..<Self.rounds {
            await #expect(processExitsWith: .success) {
                [isSecure = isSecure as Bool, files = files as [String]] in
                try ConnectingThreads.start(isSecure: isSecure, files: files)
                pause(.microseconds(Int.random(in: 0..<200_000)))
                exit(0)
            }
        }
    }

    @Test("A forked child is told from its parent, even where forks can't be counted")
    func fork() async throws {
        await #expect(processExitsWith: .success) { try requireOtherChild(than: .current) }
        await #expect(processExitsWith: .success) {
            try requireOtherChild(than: ProcessGeneration(countsForks: false))
        }
    }

    @Test("A forked child can neither use nor end the parent's connection")
    func forkedChild() async throws {
        await #expect(processExitsWith: .success) {
            let (one, two) = try makeStreamPair()
            let child = try forkProcess()
            if child == 0 {
                let isRefused = (try? one.writeAll([9])) == nil && (try? one.readSome()) == nil
                one.finishWriting()
                one.abort()
                _exit(isRefused ? 0 : 1)
            }
            var status: Int32 = -1
            try #require(waitpid(child, &status, 0) == child && status == 0)
            try one.writeAll([1])
            try #require(try two.readSome() == [1])
            try two.writeAll([2])
            try #require(try one.readSome() == [2])
        }
    }
}

/// Requires that a child doesn't take itself for this process, of this generation.
private func requireOtherChild(than generation: ProcessGeneration) throws {
    let child = try forkProcess()
    let isParent = generation.isCurrent
    if child == 0 { _exit(isParent ? 1 : 0) }
    var status: Int32 = -1
    try #require(waitpid(child, &status, 0) == child && status == 0)
    try #require(isParent)
}

/// Threads that open and drop connections to a server in this process, endlessly.
private enum ConnectingThreads {
    static func start(isSecure: Bool, files: [String]) throws {
        let listener = try Listener()
        let server = try TLSServer(certificateFile: files[0], keyFile: files[1])
        try Threads.start {
            while let stream = try? listener.accept(until: .never) {
                try? Threads.start {
                    let accepted: (any ByteStream)? =
                        isSecure ? try? server.accept(over: stream, until: .never) : stream
                    while let bytes = try? accepted?.readSome() { try? accepted?.writeAll(bytes) }
                }
            }
        }
        var plan = ConnectPlan(
            target: .host("127.0.0.1", port: listener.port),
            serverName: "localhost"
        )
        if isSecure {
            var options = TLSOptions()
            options.certificateAuthorityFile = files[2]
            plan.tls = options
        }
        for _ in 0..<4 {
            try Threads.start { [plan] in
                while true {
                    guard let stream = try? Connector.connect(plan, wakeUp: WakeUp()) else {
                        continue
                    }
                    try? stream.writeAll([1, 2, 3])
                    _ = try? stream.readSome()
                }
            }
        }
    }
}
