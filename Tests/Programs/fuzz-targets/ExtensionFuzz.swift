import HTTPTypes
import WebSocketClient
import WebSocketProtocol

/// `Sec-WebSocket-Extensions` in both directions: parsed, written again, negotiated.
enum ExtensionFuzz {
    static func run(_ input: inout Input) throws(Finding) {
        let offer = offer(&input)
        let wish = offer.serverNoContextTakeover ? self.offer(&input) : DeflateOffer()
        let values = input.restAsText.split(
            separator: "\n",
            omittingEmptySubsequences: false
        ).map(String.init)

        try parse(values)
        let request = try request(offering: [offer, DeflateOffer()])
        try answer(values, to: request)
        try agree(request, wish)
        guard let offers = ExtensionElement.parse(values) else { return }
        if let answer = wish.accept(offers) { try check(answer.parameters) }
    }

    /// A parsed field is written in an equivalent form.
    private static func parse(_ values: [String]) throws(Finding) {
        guard let elements = ExtensionElement.parse(values) else { return }
        let text = elements.map(\.text).joined(separator: ", ")
        try require(ExtensionElement.parse([text]) == elements, "written otherwise: \(text)")
        try requireEscaped(text)
    }

    /// Any answer is accepted within the rules, or refused.
    private static func answer(
        _ values: [String],
        to request: HandshakeRequest
    ) throws(Finding) {
        let negotiated = try accepted { () throws(HandshakeFailure) in
            try request.negotiate(response(values))
        }
        if let parameters = negotiated?.deflate { try check(parameters) }
    }

    /// The client accepts a server's answer to its offer, and both understand the same.
    private static func agree(
        _ request: HandshakeRequest,
        _ wish: DeflateOffer
    ) throws(Finding) {
        let offers = ExtensionElement.parse(request.fields[values: .secWebSocketExtensions])
        guard let offers else { throw Finding(description: "the offer can't be parsed") }
        guard let answer = wish.accept(offers) else { return }
        let text = answer.element.text
        let negotiated = try accepted { () throws(HandshakeFailure) in
            try request.negotiate(response([text]))
        }
        guard let parameters = negotiated?.deflate else {
            throw Finding(description: "the client refuses \(text)")
        }
        // The client may have promised less than the server asked for.
        try require(
            parameters.serverNoContextTakeover == answer.parameters.serverNoContextTakeover
                && parameters.serverMaxWindowBits == answer.parameters.serverMaxWindowBits
                && parameters.clientMaxWindowBits <= answer.parameters.clientMaxWindowBits,
            "client and server mean different things by \(text)"
        )
    }

    private static func check(_ parameters: DeflateParameters) throws(Finding) {
        try require(
            (8...15).contains(parameters.clientMaxWindowBits)
                && (8...15).contains(parameters.serverMaxWindowBits),
            "a window that can't be"
        )
    }

    private static func offer(_ input: inout Input) -> DeflateOffer {
        let choices = input.byte()
        let windows = input.byte()
        var offer = DeflateOffer()
        offer.serverNoContextTakeover = choices & 1 != 0
        offer.clientNoContextTakeover = choices & 2 != 0
        offer.serverMaxWindowBits = choices & 4 != 0 ? 8 + Int(windows & 7) : nil
        offer.clientMaxWindowBits = choices & 8 != 0 ? nil : 15 - Int(windows >> 4 & 7)
        return offer
    }

    private static func request(
        offering offers: [DeflateOffer]
    ) throws(Finding) -> HandshakeRequest {
        var options = HandshakeRequest.Options()
        var deflate = DeflateOptions()
        deflate.offers = offers
        options.deflate = deflate
        return try Sample.request(options)
    }

    private static func response(_ values: [String]) -> HandshakeResponse {
        var fields = Sample.acceptance
        for value in values {
            fields.append(HTTPField(name: .secWebSocketExtensions, value: value))
        }
        return HandshakeResponse(statusCode: 101, headers: fields)
    }
}
