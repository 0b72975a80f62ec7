import HTTPTypes
import WebSocketProtocol

/// The handshake of RFC 6455 §1.3.
enum Sample {
    static let key = Array("the sample nonce".utf8)

    static let acceptance: HTTPFields = [
        .upgrade: "websocket", .connection: "Upgrade",
        .secWebSocketAccept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]

    static func url(_ text: String) throws(Finding) -> WebSocketURL {
        do throws(InvalidURL) {
            return try WebSocketURL(parsing: text)
        } catch {
            throw Finding(description: "\(text): \(error)")
        }
    }

    static func host(_ text: String) throws(Finding) -> Host {
        do throws(InvalidURL) {
            return try Host(text)
        } catch {
            throw Finding(description: "\(text): \(error)")
        }
    }

    static func request(
        to text: String = "wss://user:password@www.example.com/a/b?c",
        _ options: HandshakeRequest.Options
    ) throws(Finding) -> HandshakeRequest {
        let url = try url(text)
        do throws(InvalidHandshakeRequest) {
            return try HandshakeRequest(url: url, key: key, options: options)
        } catch {
            throw Finding(description: "the request can't be made: \(error)")
        }
    }
}
