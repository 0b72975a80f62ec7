import Logging
import WebSocketClient

extension Console {
    /// Shows handshakes and all frames as notes from now on.
    func trace() {
        enableTrace(true, logger: Logger(label: "wsdump") { [self] _ in Notes(console: self) })
    }
}

/// swift-log's entries as notes.
private struct Notes: LogHandler {
    let console: Console
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { console.note("\(event.message)") }
}
