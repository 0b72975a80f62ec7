// Runs the examples of the documentation against a server of its own.

import Foundation
import LoopbackServer

struct Example: Sendable {
    let place: String
    let run: @Sendable () async throws -> Void
}

let server = try LoopbackServer(compression: .init())

/// Replaces the URLs in examples that run.
func serverURL(_ path: String) -> String { server.url(path.isEmpty ? "/" : path) }

var failures = 0
for example in examples {
    do {
        try await example.run()
        print("ok: \(example.place) runs")
    } catch {
        failures += 1
        print("FAILED: \(example.place): \(error)")
    }
}
print("\(examples.count - failures) examples ran, \(failures) failed")
exit(failures == 0 && !examples.isEmpty ? 0 : 1)
