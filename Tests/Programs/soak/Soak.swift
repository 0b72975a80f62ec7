import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import WebSocketAccel
import WebSocketClient
import WebSocketProtocol

/// Runs workers for a time, and reports the results.
@main
enum Soak {
    static func main() throws {
        let numbers = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
        let seconds = numbers.first ?? 60
        let workerCount = numbers.dropFirst().first ?? 4
        guard seconds > 0, workerCount > 0 else {
            throw SupportError("usage: soak [SECONDS [WORKERS]], both at least 1")
        }

        let certificates = try Certificates.shared.get()
        let ledger = Ledger()
        let servers = try [false, true].map { try server(isSecure: $0, certificates, ledger) }
        let relays = try (0..<workerCount).map { try FaultyRelay(to: servers[$0 & 1].port) }
        let workers = relays.enumerated().map { index, relay in
            Worker(
                isSecure: index & 1 != 0,
                isCompressed: index & 2 != 0,
                relay: relay,
                authority: certificates.authority.certificate,
                ledger: ledger
            )
        }
        pause(.milliseconds(200))
        let descriptors = Descriptors.open.count
        let threads = Descriptors.threads

        let end = ContinuousClock.now + .seconds(seconds)
        let running = workers.map { worker in Background { worker.run(until: end) } }
        while ContinuousClock.now < end {
            pause(.seconds(min(60, max(1, seconds))))
            let (messages, connections) = (ledger.current.messages, ledger.current.connections)
            print("\(messages) messages, \(connections) connections, \(peakMemory) MiB")
            fflush(nil)
        }
        for worker in running { try worker.join() }
        // The server's threads end when they notice that their clients have gone.
        _ = eventually {
            Descriptors.open.count <= descriptors && Descriptors.threads <= threads
        }
        report(ledger.current, seconds, descriptors: descriptors, threads: threads)
    }

    /// The most memory that was resident at any time, in MiB.
    private static var peakMemory: Int { ProcessStatus.figure("VmHWM") >> 20 }

    private static func report(
        _ totals: Totals,
        _ seconds: Int,
        descriptors: Int,
        threads: Int
    ) {
        let (descriptorsLeft, threadsLeft) = (Descriptors.open.count, Descriptors.threads)
        let memory = peakMemory
        print("\(seconds) s with \(Accel.backend)\n\(totals.summary)")
        print("peak memory     \(memory) MiB, the server and the relay included")
        print("descriptors     \(descriptors) at the start, \(descriptorsLeft) at the end")
        print("threads         \(threads) at the start, \(threadsLeft) at the end")
        var failures = totals.failures
        if descriptorsLeft > descriptors { failures.append("descriptors are left") }
        if threadsLeft > threads { failures.append("threads are left") }
        if memory > 1024 { failures.append("more than 1 GiB of memory") }
        if totals.slowestEnd > .seconds(60) {
            failures.append("a fault ended nothing for a minute")
        }
        if totals.messages == 0 { failures.append("no message got through") }
        for failure in failures.prefix(20) { print("FAILED: \(failure)") }
        print("\(failures.isEmpty ? 1 : 0) passed, \(failures.count) failed")
        if !failures.isEmpty { exit(1) }
    }

    /// Returns each message, after it has been checked here as well.
    private static func server(
        isSecure: Bool,
        _ certificates: Certificates,
        _ ledger: Ledger
    ) throws -> LoopbackServer {
        let identity = certificates.server
        let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        var deflate = DeflateOptions()
        deflate.level = 1
        return try LoopbackServer(compression: deflate, tls: isSecure ? tls : nil) { connection in
            var next = 0
            while true {
                let (opcode, payload) = try connection.receive()
                let number = Payload.number(of: payload, isText: opcode == .text)
                if number != next {
                    ledger.note {
                        $0.failures.append("the server got \(number ?? -1) instead of \(next)")
                    }
                }
                next += 1
                try payload.withUnsafeBytes { try connection.sendMessage(opcode, $0) }
            }
        }
    }
}
