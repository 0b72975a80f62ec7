import TestSupport
import WebSocketClient

/// An attack: the hostile server's part, the client's part, and the limits of the outcome.
protocol Attack: Sendable {
    /// Distinguishes it from all others.
    var name: String { get }
    /// The server's behaviour, in words.
    var words: String { get }
    /// How much the client's memory may grow, in KiB.
    var maximumGrowth: Int { get }
    /// How long the attacked call may take, if it has the machine to itself.
    var maximumDuration: Duration { get }

    /// The server's part, for one connection, until the client is gone.
    func serve(_ stream: any ByteStream) throws

    /// Makes a peaceful connection of the same kind, whose memory doesn't count as growth.
    func warmUp(_ calm: CalmServers) throws

    /// The client's part: makes the attacked call and returns its result or error.
    func outcome(port: UInt16, calm: CalmServers) -> String

    /// Whether that is how it should end.
    func expects(_ result: String) -> Bool
}

extension Attack {
    /// A second is the limit of each call; what takes twenty is endless.
    var maximumDuration: Duration { .seconds(20) }

    /// Time-outs of a second.
    static var calmOptions: ConnectOptions {
        var options = ConnectOptions(timeout: .seconds(1))
        options.timeouts.close = .seconds(1)
        options.proxy = .none
        options.cookieJar = nil
        options.tls.verification = .none
        return options
    }

    /// The result or error of `body`.
    func result(_ body: () throws -> String) -> String {
        do {
            return try body()
        } catch WebSocketError.badStatus(let response) {
            return "status \(response.statusCode), \(response.body.count) bytes of its body"
        } catch WebSocketError.protocolViolation(let violation) {
            return "closed with \(violation.closeCode): \(violation)"
        } catch {
            return "\(error)"
        }
    }
}
