import Foundation
import TestSupport
import WebSocketClient

/// The client under attack, in a process of its own, whose peak memory is measured.
struct Victim {
    let attack: Attack
    let port: UInt16

    /// Makes the call that the attack is for, and prints what it cost; false if that is too much.
    func run() throws -> Bool {
        // What a calm connection needs is no growth.
        try warmUp()
        let before = try Self.peakMemory()
        var result = ""
        let duration = elapsed { result = outcome() }
        let growth = try Self.peakMemory() - before
        let isFine =
            growth <= attack.maximumGrowth && duration <= attack.maximumDuration
            && expects(result)
        let seconds =
            Double(duration.components.attoseconds) / 1e18
            + Double(duration.components.seconds)
        print(
            "\(isFine ? "ok    " : "FAILED") \(attack.words): \(growth) KiB of "
                + "\(attack.maximumGrowth), \(String(format: "%.1f", seconds)) s; \(result)"
        )
        return isFine
    }

    private var options: ConnectOptions {
        var options = ConnectOptions(timeout: .seconds(1))
        options.timeouts.close = .seconds(1)
        options.proxy = .none
        options.cookieJar = nil
        options.compression = DeflateOptions()
        return options
    }

    private func warmUp() throws {
        let socket = try WebSocket.connect(to: "ws://127.0.0.1:\(port)/calm", options: options)
        try socket.send(String(repeating: "warm", count: 30_000))
        _ = try socket.receive()
        try socket.close()
    }

    /// What the call returned or threw.
    private func outcome() -> String {
        do {
            let url = "ws://127.0.0.1:\(port)/\(attack.rawValue)"
            let socket = try WebSocket.connect(to: url, options: options)
            defer { socket.abort() }
            if attack == .silentClose || attack == .floodedClose {
                return "close returned \(try socket.close().map { "\($0)" } ?? "nothing")"
            }
            return "received \(try socket.receive().bytes.count) bytes"
        } catch WebSocketError.badStatus(let response) {
            return "status \(response.statusCode), \(response.body.count) bytes of its body"
        } catch WebSocketError.protocolViolation(let violation) {
            return "closed with \(violation.closeCode): \(violation)"
        } catch {
            return "\(error)"
        }
    }

    private func expects(_ result: String) -> Bool {
        switch attack {
        case .announcesHugeFrame, .endlessFragments, .tinyFragments, .inflationBomb:
            result.hasPrefix("closed with 1009")
        case .announcesAllowedFrame, .pingFlood: result == "Time ran out during receiving."
        case .silentClose, .floodedClose: result == "close returned nothing"
        case .slowAnswer: result == "Time ran out during the WebSocket handshake."
        case .endlessHeaders: result == "The header is longer than 65536 bytes."
        case .endlessInterimAnswers: result.contains("interim")
        case .endlessRefusal: result == "status 404, 65536 bytes of its body"
        case .endlessRedirect: result.contains("redirects")
        }
    }

    /// The most memory that this process has had, in KiB.
    private static func peakMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            let figure = line.drop { !$0.isNumber }.prefix { $0.isNumber }
            if let count = Int(figure) { return count }
        }
        throw SupportError("/proc/self/status has no VmHWM")
    }
}
