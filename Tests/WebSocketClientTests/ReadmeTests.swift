import LoopbackServer
import TestSupport
import Testing
import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite("The README", .blocking, .timeLimit(.minutes(1)))
struct ReadmeTests {
    /// The example as the README has it, but for the URL.
    private func example(_ url: String) throws {
        // begin
        let socket = try WebSocket.connect(to: url)
        try socket.send("hello")
        try socket.send(binary: [1, 2, 3])
        switch try socket.receive() {
        case .text(let text): print("text:", text)
        case .binary(let bytes): print("binary:", bytes.count, "bytes")
        }
        try socket.close()
        // end
    }

    private func read(_ path: String) throws -> String {
        var text = ""
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    private func lines(of text: String, after first: String, before last: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let start = lines.firstIndex(where: { $0.contains(first) }),
            let end = lines[(start + 1)...].firstIndex(where: { $0.contains(last) })
        else { return [] }
        return lines[(start + 1)..<end].map { line in
            String(line.drop { $0 == " " })
        }
    }

    @Test("Its example is the one that is compiled here, and works")
    func exampleIsCompiled() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        try example(server.url())
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let readme = lines(
            of: try read("/\(root)/README.md"),
            after: "import WebSocketClient",
            before: "```"
        )
        let compiled = lines(of: try read(#filePath), after: "// begin", before: "// end")
        #expect(!compiled.isEmpty)
        #expect(
            readme.filter { !$0.isEmpty }
                == compiled.map {
                    $0.replacing("to: url", with: "to: \"wss://example.com/feed\"")
                }
        )
    }
}
