import CoreMetrics
import MetricsTestKit
import Testing
import WebSocketClient
import WebSocketTesting

@testable import Dashboard

@Suite("Counters for a dashboard")
struct DashboardTests {
    @Test("Messages and bytes of an app are reported as they come")
    func counters() async throws {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        let server = try TestServer { connection in
            for price in ["A 1", "B 2", "C 3"] { try connection.send(price) }
            _ = try connection.receiveClose()
        }
        defer { server.stop() }
        let app = WebSocketApp(url: server.url("/feed"), options: server.options)
        async let run: Void = app.run()
        let reporting = Task { try await report(app, every: .milliseconds(5)) }
        while (try? metrics.expectCounter("feed_messages").totalValue) != 3 {
            try await Task.sleep(for: .milliseconds(5))
        }
        // Three frames of five bytes with a header of two.
        while try metrics.expectCounter("feed_wire_bytes").totalValue < 15 {
            try await Task.sleep(for: .milliseconds(5))
        }
        reporting.cancel()
        _ = await reporting.result
        app.close()
        try await run
    }
}
