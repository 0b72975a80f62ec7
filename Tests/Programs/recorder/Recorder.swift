import Foundation
import WebSocketClient

@main
struct Recorder {
    static func main() throws {
        guard CommandLine.arguments.count == 3 else {
            print("usage: recorder URL FILE")
            exit(2)
        }
        let recording = try Recording(path: CommandLine.arguments[2])
        let app = makeApp(url: CommandLine.arguments[1], recording)

        let dispatcher = try Dispatcher()
        for number in [SIGINT, SIGTERM] {
            try dispatcher.signal(number) { app.close() }
        }
        try app.runForever(
            pingInterval: .seconds(20),
            pingTimeout: .seconds(10),
            dispatcher: dispatcher,
            reconnect: .exponentialBackoff(from: .milliseconds(200), to: .seconds(30))
        )
        try dispatcher.dispatch()

        let statistics = app.statistics
        print(
            "recorded up to \(recording.last):",
            "\(statistics.received.messages) messages,",
            "\(statistics.reconnections) reconnections"
        )
    }

    static func makeApp(url: String, _ recording: Recording) -> WebSocketApp {
        var options = ConnectOptions()
        options.limits.maximumMessageBytes = 64 << 10
        return WebSocketApp(
            url: url,
            onOpen: { app in try app.send("from \(recording.last + 1)") },
            onMessage: { app, message in
                guard case .text(let text) = message else { return }
                if try !recording.add(text) { try app.send("from \(recording.last + 1)") }
            },
            onError: { app, error in
                FileHandle.standardError.write(Data("\(error)\n".utf8))
                // The connection comes back; a disk that is full doesn't.
                if !(error is WebSocketError) { app.close() }
            },
            options: options
        )
    }
}
