/// The parameters of permessage-deflate that client and server agreed on, RFC 7692 §7.1.
public struct DeflateParameters: Sendable, Hashable {
    /// Whether the server compresses each message by itself.
    public var serverNoContextTakeover: Bool
    /// Whether the client compresses each message by itself.
    public var clientNoContextTakeover: Bool
    /// How far the server's compressor looks back: 2^n bytes, 8 to 15.
    public var serverMaxWindowBits: Int
    /// How far the client's compressor looks back: 2^n bytes, 8 to 15.
    public var clientMaxWindowBits: Int

    /// Makes the parameters that an answer without parameters means: context takeover and full windows.
    public init() {
        serverNoContextTakeover = false
        clientNoContextTakeover = false
        serverMaxWindowBits = 15
        clientMaxWindowBits = 15
    }
}

/// The four parameters of an offer or an answer, as they were sent; each may occur once.
private struct SentParameters {
    /// A window parameter: absent, present without a value, or present with a number.
    enum Window: Equatable {
        case absent
        case unlimited
        case bits(Int)

        var bits: Int? {
            if case .bits(let bits) = self { bits } else { nil }
        }
    }

    var serverNoContextTakeover = false
    var clientNoContextTakeover = false
    var serverMaxWindowBits = Window.absent
    var clientMaxWindowBits = Window.absent

    /// Nil for an unknown or repeated parameter, or an invalid value: RFC 7692 §7 says to decline such
    /// an offer, and to fail the connection on such an answer.
    init?(_ element: ExtensionElement) {
        guard Set(element.parameters.map(\.name)).count == element.parameters.count else {
            return nil
        }
        for parameter in element.parameters {
            switch (parameter.name, parameter.value) {
            case (.serverNoContextTakeover, nil): serverNoContextTakeover = true
            case (.clientNoContextTakeover, nil): clientNoContextTakeover = true
            case (.clientMaxWindowBits, nil): clientMaxWindowBits = .unlimited
            case (.serverMaxWindowBits, let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                serverMaxWindowBits = .bits(bits)
            case (.clientMaxWindowBits, let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                clientMaxWindowBits = .bits(bits)
            default:
                return nil
            }
        }
    }

    // "a decimal integer value without leading zeroes between 8 to 15, inclusive"
    private static func windowBits(_ value: String) -> Int? {
        guard value.utf8.first != UInt8(ascii: "0"), let bits = value.utf8.decimalValue,
            (8...15).contains(bits)
        else { return nil }
        return bits
    }
}

extension DeflateOptions {
    /// The result of a client's offers and the server's answer; nil if the answer fits none of the
    /// offers.
    func parameters(answer: ExtensionElement) -> DeflateParameters? {
        guard answer.name.hasSameBytes(as: .permessageDeflate), let answer = SentParameters(answer)
        else {
            return nil
        }
        for offer in offers {
            if let parameters = offer.parameters(answer: answer) { return parameters }
        }
        return nil
    }
}

extension DeflateOffer {
    fileprivate func parameters(answer: SentParameters) -> DeflateParameters? {
        // RFC 7692 §7.1.1.1: the server "accepts" by including the parameter.
        guard answer.serverNoContextTakeover || !serverNoContextTakeover else { return nil }
        // §7.1.2.1: accepted "by including … with the same or smaller value"; unasked it is allowed.
        // A full window is the default, and asking for it needs no acceptance.
        if let wanted = serverMaxWindowBits, wanted < 15 {
            guard let bits = answer.serverMaxWindowBits.bits, bits <= wanted else { return nil }
        }
        // §7.1.2.2: not "if the … offer … doesn't include" it, and never without a value.
        switch answer.clientMaxWindowBits {
        case .absent: break
        case .unlimited: return nil
        case .bits(let bits):
            guard let offered = clientMaxWindowBits, bits <= offered else { return nil }
        }
        var parameters = DeflateParameters()
        parameters.serverNoContextTakeover = answer.serverNoContextTakeover
        parameters.clientNoContextTakeover =
            clientNoContextTakeover || answer.clientNoContextTakeover
        parameters.serverMaxWindowBits = answer.serverMaxWindowBits.bits ?? 15
        parameters.clientMaxWindowBits =
            answer.clientMaxWindowBits.bits ?? clientMaxWindowBits ?? 15
        return parameters
    }

    /// The answer to one of a client's offers, of a server with these preferences; nil if it has to
    /// decline the offer.
    private func accept(_ offer: ExtensionElement) -> DeflateAnswer? {
        guard offer.name.hasSameBytes(as: .permessageDeflate), let offer = SentParameters(offer)
        else {
            return nil
        }
        var answer = DeflateOffer()
        answer.serverNoContextTakeover = serverNoContextTakeover || offer.serverNoContextTakeover
        answer.clientNoContextTakeover = clientNoContextTakeover || offer.clientNoContextTakeover
        // If asked for a window, the server has to name the one it uses; otherwise only a smaller one
        // needs naming.
        let own = min(serverMaxWindowBits ?? 15, offer.serverMaxWindowBits.bits ?? 15)
        answer.serverMaxWindowBits =
            own < 15 || offer.serverMaxWindowBits != .absent ? own : nil
        // The client can't be asked for less unless it said that it can obey.
        let client = min(clientMaxWindowBits ?? 15, offer.clientMaxWindowBits.bits ?? 15)
        answer.clientMaxWindowBits =
            client < 15 && offer.clientMaxWindowBits != .absent ? client : nil

        var parameters = DeflateParameters()
        parameters.serverNoContextTakeover = answer.serverNoContextTakeover
        parameters.clientNoContextTakeover = answer.clientNoContextTakeover
        parameters.serverMaxWindowBits = own
        parameters.clientMaxWindowBits = answer.clientMaxWindowBits ?? 15
        return DeflateAnswer(parameters: parameters, element: answer.element)
    }

    /// The server's side of the negotiation: the first of a client's offers that it supports.
    package func accept(_ offers: [ExtensionElement]) -> DeflateAnswer? {
        for offer in offers {
            if let answer = accept(offer) { return answer }
        }
        return nil
    }
}

/// A server's acceptance: the agreed parameters, and the element that says so.
package struct DeflateAnswer: Sendable, Hashable {
    package var parameters: DeflateParameters
    package var element: ExtensionElement
}

extension DeflateParameters {
    /// The compressor of that end.
    package func deflater(for role: Role, options: DeflateOptions) -> Deflater {
        Deflater(
            windowBits: role == .client ? clientMaxWindowBits : serverMaxWindowBits,
            noContextTakeover: role == .client ? clientNoContextTakeover : serverNoContextTakeover,
            options: options
        )
    }

    /// The decompressor of that end, for messages that the other end compresses.
    package func inflater(for role: Role, options: DeflateOptions, limits: Limits) -> Inflater {
        Inflater(
            windowBits: role == .client ? serverMaxWindowBits : clientMaxWindowBits,
            noContextTakeover: role == .client ? serverNoContextTakeover : clientNoContextTakeover,
            freesIdleStream: options.freesIdleStreams,
            maximumMessageBytes: limits.maximumMessageBytes,
            maximumRatio: limits.maximumInflationRatio
        )
    }
}
