/// How messages are compressed with permessage-deflate, RFC 7692: the offers to the server, and the
/// compressor's settings.
///
/// Each connection that compresses holds two zlib streams, made when they are first needed. Their
/// size follows from the agreed window and ``memoryLevel`` (zlib 1.2.13):
///
/// * sending: 2^(window bits + 2) + 2^(memory level + 9) + 6,064 bytes; 262 KiB by default, 9 KiB
///   with 9 window bits and memory level 1;
/// * receiving: 2^(window bits) + 7,272 bytes; 39 KiB by default, 7.4 KiB with 8 window bits.
public struct DeflateOptions: Sendable, Hashable {
    /// What zlib may assume about the data.
    public enum Strategy: Sendable, Hashable, CaseIterable {
        /// Anything.
        case standard
        /// Small values with a random distribution: more Huffman coding, less matching.
        case filtered
        /// No matching at all.
        case huffmanOnly
        /// Only matches at distance one; as fast as `huffmanOnly`.
        case runLength
        /// Fixed Huffman codes: less work for short messages.
        case fixedCodes
    }

    /// The offers, the preferred one first; at least one.
    ///
    /// A server accepts the first that it supports.
    public var offers: [DeflateOffer] = [DeflateOffer()]

    /// How hard to compress: 0 stores, 1 is fastest, 9 smallest, -1 is zlib's default of 6.
    public var level = -1

    /// How much memory the compressor's tables take, 1 to 9; zlib's default is 8.
    public var memoryLevel = 8

    /// What zlib may assume about the data.
    public var strategy = Strategy.standard

    /// Messages of fewer bytes are sent uncompressed; nil means 128 with context takeover and 512
    /// without, where short messages gain less (coder/websocket's figures).
    public var threshold: Int?

    /// Without context takeover: whether the compressor is freed after each message, which saves memory
    /// on idle connections and costs an allocation for each message.
    public var freesIdleStreams = false

    /// How many threads may compress the messages of one connection, 1 to 64. Default: 1.
    ///
    /// More than one is used only if ``DeflateOffer/clientNoContextTakeover`` was agreed, so that each
    /// message is compressed by itself: the messages of a batch are compressed side by side and leave
    /// in order, and threads that send at the same time don't wait for each other's compression. Each
    /// thread has a compressor of the size above; the threads are started with the first batch that has
    /// work for them and end with the connection. Up to 4 messages a thread, and 16 MiB, wait to be
    /// sent; up to 1 MiB of each message's memory, and as much of its compressed form's, is kept for
    /// the next one.
    public var threads = 1

    /// Makes the default options.
    public init() {}

    /// The level and the other numbers for zlib, or the name of the option that is out of range.
    package func validate() throws(InvalidHandshakeRequest) {
        guard (-1...9).contains(level) else { throw .deflateOption("level") }
        guard (1...9).contains(memoryLevel) else { throw .deflateOption("memoryLevel") }
        guard threshold ?? 0 >= 0 else { throw .deflateOption("threshold") }
        guard (1...64).contains(threads) else { throw .deflateOption("threads") }
        guard !offers.isEmpty else { throw .deflateOption("offers") }
        for offer in offers {
            guard Self.isValid(offer.serverMaxWindowBits) else {
                throw .deflateOption("serverMaxWindowBits")
            }
            guard Self.isValid(offer.clientMaxWindowBits) else {
                throw .deflateOption("clientMaxWindowBits")
            }
        }
    }

    private static func isValid(_ bits: Int?) -> Bool { (8...15).contains(bits ?? 15) }
}

/// One offer of permessage-deflate with its parameters, RFC 7692 §7.1.
public struct DeflateOffer: Sendable, Hashable {
    /// Asks the server to compress each message by itself, which saves memory at this end.
    public var serverNoContextTakeover = false

    /// Compresses each message by itself, whatever the server answers.
    public var clientNoContextTakeover = false

    /// Asks the server to look back at most 2^n bytes, 8 to 15; nil leaves it to the server.
    public var serverMaxWindowBits: Int?

    /// Looks back at most 2^n bytes, 8 to 15, and lets the server ask for less; with nil, the server
    /// can't ask, and the window is 2^15.
    ///
    /// zlib has no compressor for 8 bits, so 9 are used, with matches that reach back only 250 bytes.
    public var clientMaxWindowBits: Int? = 15

    /// Makes the offer that every server can accept: context takeover and full windows.
    public init() {}

    var element: ExtensionElement {
        var parameters: [ExtensionElement.Parameter] = []
        if serverNoContextTakeover { parameters.append(.init(name: .serverNoContextTakeover)) }
        if clientNoContextTakeover { parameters.append(.init(name: .clientNoContextTakeover)) }
        if let bits = serverMaxWindowBits {
            parameters.append(.init(name: .serverMaxWindowBits, value: "\(bits)"))
        }
        if let bits = clientMaxWindowBits {
            // RFC 7692 §7.1.2.2: without a value it means only that the client can obey one.
            let value = bits == 15 ? nil : "\(bits)"
            parameters.append(.init(name: .clientMaxWindowBits, value: value))
        }
        return ExtensionElement(name: .permessageDeflate, parameters: parameters)
    }
}

extension String {
    static let permessageDeflate = "permessage-deflate"
    static let serverNoContextTakeover = "server_no_context_takeover"
    static let clientNoContextTakeover = "client_no_context_takeover"
    static let serverMaxWindowBits = "server_max_window_bits"
    static let clientMaxWindowBits = "client_max_window_bits"
}
