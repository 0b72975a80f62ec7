import Metrics
import WebSocketClient

/// Reports an app's counters again and again, until the task is cancelled.
func report(_ app: WebSocketApp, every interval: Duration = .seconds(10)) async throws {
    let messages = Counter(label: "feed_messages"), bytes = Counter(label: "feed_wire_bytes")
    let roundTrip = Timer(label: "feed_round_trip")
    var last = app.statistics
    while true {
        try await Task.sleep(for: interval)
        let now = app.statistics
        messages.increment(by: now.received.messages - last.received.messages)
        bytes.increment(by: now.received.wireBytes - last.received.wireBytes)
        if let time = now.lastRoundTrip {
            roundTrip.recordNanoseconds(Int64(time / .nanoseconds(1)))
        }
        last = now
    }
}
