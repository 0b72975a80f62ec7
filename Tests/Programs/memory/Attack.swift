import TestSupport
import WebSocketClient

/// What a hostile server does, what a client does meanwhile, and what may come of it.
protocol Attack: Sendable {
    /// Distinguishes it from all others.
    var name: String { get }
    /// What the server does.
    var words: String { get }
    /// What the client's memory may grow by, in KiB.
    var maximumGrowth: Int { get }

    /// The server's part, for one connection, until the client is gone.
    func serve(_ stream: any ByteStream) throws

    /// Makes a calm connection of the same kind, for what that needs is no growth.
    func warmUp(_ calm: CalmServers) throws

    /// The client's part: what the call that the attack is for returned or threw.
    func outcome(port: UInt16, calm: CalmServers) -> String

    /// Whether that is how it should end.
    func expects(_ result: String) -> Bool
}

extension Attack {
    /// Time-outs of a second: what takes much longer has no end.
    static var calmOptions: ConnectOptions {
        var options = ConnectOptions(timeout: .seconds(1))
        options.timeouts.close = .seconds(1)
        options.proxy = .none
        options.cookieJar = nil
        options.tls.verification = .none
        return options
    }

    /// What `body` returned or threw.
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
