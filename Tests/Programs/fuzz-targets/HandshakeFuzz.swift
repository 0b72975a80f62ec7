import HTTPTypes
import WebSocketClient
import WebSocketProtocol

/// Answers to the opening handshake: read in pieces of any size, checked, and followed if they
/// redirect.
enum HandshakeFuzz {
    /// Small ones, so that inputs reach them.
    private static let limits = {
        var limits = HTTPLimits()
        limits.maximumHeadBytes = 2048
        limits.maximumLineBytes = 512
        limits.maximumFieldCount = 16
        limits.maximumBodyBytes = 256
        return limits
    }()

    private struct Answer: Equatable {
        var response: HandshakeResponse
        var isComplete: Bool
        var taken: Int
    }

    static func run(_ input: inout Input) throws(Finding) {
        let sizes = input.pieceSizes()
        let bytes = input.rest
        let whole = try answer(bytes, .whole)
        let split = try answer(bytes, sizes)
        try require(whole?.response == split?.response, "another answer in pieces")
        guard let whole, let split else { return }
        // After an incomplete body, nothing is known about the bytes that follow.
        if whole.response.isBodyComplete {
            try require(whole == split, "another end in pieces")
        }
        try negotiate(whole.response)
        try follow(whole.response)
    }

    /// The answer; nil if it is refused.
    private static func answer(
        _ bytes: [UInt8],
        _ sizes: PieceSizes
    ) throws(Finding) -> Answer? {
        var decoder = HandshakeResponseDecoder(limits: limits)
        var taken = 0
        let isComplete = try accepted { () throws(MalformedHTTP) in
            for piece in sizes.pieces(of: bytes) where !decoder.isComplete {
                taken += try decoder.receive(Array(piece))
            }
            if decoder.isComplete { return true }
            try decoder.finish()
            return false
        }
        guard let isComplete else { return nil }
        guard let response = decoder.response else {
            throw Finding(description: "no answer and no error")
        }
        try require(response.body.count <= limits.maximumBodyBytes, "the body is too long")
        return Answer(response: response, isComplete: isComplete, taken: taken)
    }

    private static func negotiate(_ response: HandshakeResponse) throws(Finding) {
        var options = HandshakeRequest.Options()
        options.subprotocols = ["chat", "superchat"]
        options.deflate = DeflateOptions()
        let request = try Sample.request(options)
        try requireEscaped(response.description)
        for line in response.headers.redactedLines.split(separator: "\n") {
            try requireEscaped(String(line))
        }
        let negotiated = try accepted { () throws(HandshakeFailure) in
            try request.negotiate(response)
        }
        guard let negotiated else { return }
        try require(
            negotiated.subprotocol.map(request.subprotocols.contains) ?? true,
            "a subprotocol that wasn't offered"
        )
        try writtenAgain(response)
    }

    /// An accepted response means the same when it is encoded and read again.
    private static func writtenAgain(_ response: HandshakeResponse) throws(Finding) {
        var decoder = HandshakeResponseDecoder()
        let taken = try? decoder.receive(response.encode())
        try require(taken == response.encode().count, "written with something behind it")
        try require(decoder.response == response, "written otherwise")
    }

    private static func follow(_ response: HandshakeResponse) throws(Finding) {
        let url = try Sample.url("wss://user:password@www.example.com/a/b?c")
        let redirect = try accepted { () throws(RedirectFailure) in
            try RedirectPolicy().redirect(from: url, by: response, followed: 0)
        }
        guard case let redirect?? = redirect else { return }
        try require(redirect.url.isSecure, "a downgrade")
        let isSame = redirect.url.host == url.host && redirect.url.port == url.port
        try require(redirect.crossesOrigin != isSame, "the wrong origin")
        try require(
            isSame || redirect.url.credentials != url.credentials
                || response.headers[.location]?.contains("@") == true,
            "credentials go along"
        )
    }
}
