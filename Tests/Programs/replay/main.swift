import Glibc
import LoopbackServer
import TestSupport
import WebSocketClient

// replay-messages: apps that replay what was not acknowledged, over a relay that cuts their connections at random
// bytes, 10,000 times by default: plain and over TLS, with and without compression. Fails if the receiver
// misses a message, gets one out of order, or gets one twice that wasn't reported.

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000
let seed = CommandLine.arguments.dropFirst(2).first.flatMap { UInt64($0) } ?? 1

let certificates = try Certificates.shared.get()
let tls = try TLSServer(
    certificateFile: certificates.server.certificate,
    keyFile: certificates.server.key
)
var faults: [String] = []
for (index, isSecure) in [false, true, false, true].enumerated() {
    let isCompressed = index >= 2
    let recorder = NumberRecorder()
    let server = try LoopbackServer(
        compression: DeflateOptions(),
        tls: isSecure ? tls : nil,
        script: recorder.run
    )
    let relay = try FaultyRelay(to: server.port)
    var options = ConnectOptions(timeout: .seconds(60))
    options.proxy = .none
    options.compression = isCompressed ? DeflateOptions() : nil
    options.tls.certificateAuthorityFile = certificates.authority.certificate
    let outcome = try ReplayTrial(cuts: count / 4, seed: seed &+ UInt64(index)).run(
        over: relay,
        url: "\(isSecure ? "wss" : "ws")://127.0.0.1:\(relay.port)/",
        options: options
    )
    relay.stop()
    server.stop()
    let numbers = recorder.numbers
    let received = numbers.reduce(0) { $0 + $1.count }
    print(
        "\(isSecure ? "TLS" : "plain"), \(isCompressed ? "compressed" : "as they are"):",
        "\(outcome.cuts) cuts, \(numbers.count) connections, \(outcome.sent) messages,",
        "\(received - Set(numbers.joined()).count) duplicates,",
        "\(outcome.status.sentAgain) reported as sent again"
    )
    faults += ReplayTrial.faults(in: numbers, after: outcome)
}
for fault in faults.prefix(20) { print("FAILED: \(fault)") }
print("\(faults.isEmpty ? 1 : 0) passed, \(faults.count) failed")
if !faults.isEmpty { exit(1) }
