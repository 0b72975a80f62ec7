import Foundation
import TestSupport
import WebSocketClient

// stress-tasks: checks the promises of the async calls, at full size on request. Fails if one is
// broken.
//
//   stress-tasks                       a few seconds of each of these
//   stress-tasks receives [COUNT]      that many cancelled receives: each message comes once
//   stress-tasks sends [COUNT]         that many cancelled sends: no frame is cut, what was reported unsent
//                                      never arrives
//   stress-tasks slow [MEGABYTES]      a fast peer and a slow consumer: memory stays flat
//   stress-tasks idle [CONNECTIONS]    connections that wait: threads, memory and time they take

let arguments = CommandLine.arguments.dropFirst()
let count = arguments.dropFirst().first.flatMap { Int($0) }
if let count, count < 1 { throw SupportError("COUNT is at least 1") }
do {
    switch arguments.first {
    case nil:
        try await cancelReceives(2_000)
        try await cancelSends(2_000)
        try await consumeSlowly(megabytes: 64)
        try await keepIdle(500)
    case "receives": try await cancelReceives(count ?? 100_000)
    case "sends": try await cancelSends(count ?? 100_000)
    case "slow": try await consumeSlowly(megabytes: count ?? 1024)
    case "idle": try await keepIdle(count ?? 10_000)
    // The other end of `idle`, in a process of its own.
    case "serve": try serveIdle(count ?? 10_000)
    default: throw SupportError("stress-tasks [receives|sends|slow|idle [COUNT]]")
    }
} catch {
    print("FAILED \(error)")
    exit(1)
}
