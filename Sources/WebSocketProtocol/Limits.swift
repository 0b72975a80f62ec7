/// How much a peer may make this end hold or do before the connection is failed with code 1009.
///
/// An announced length is never trusted with an allocation: buffers grow with what arrived.
public struct Limits: Sendable, Hashable {
    /// The largest payload of one frame, in bytes as they arrive: compressed, if the message is.
    /// Default: 64 MiB.
    public var maximumFrameBytes = 64 << 20
    /// The largest message, in bytes after inflating. Default: 64 MiB.
    ///
    /// A compressed message may be a little larger than this as it arrives, as incompressible data
    /// grows: by an eighth and 16 bytes a fragment at most.
    public var maximumMessageBytes = 64 << 20
    /// The largest number of fragments of one message. Default: 131,072.
    public var maximumFragments = 131_072
    /// The largest inflated size of a message as a multiple of its compressed size, checked above
    /// 1 MiB of output. Default: 1,100, just above what DEFLATE can reach (1,032), so that the
    /// message limit decides unless this is lowered.
    public var maximumInflationRatio = 1_100

    /// The largest head of the answer to the opening handshake, in bytes, interim responses included.
    /// Default: 64 KiB. (Precedents: 16 KiB in Node.js, 64 KiB in Python's http.client, 300 KiB in curl.)
    ///
    /// This and the next three limits apply from the next connection on; a negative value counts as 0,
    /// one above 1 GiB as 1 GiB.
    public var maximumHandshakeBytes = 64 << 10
    /// The longest line of that head, in bytes. Default: 16 KiB; some cookies and security policies are
    /// longer than the 8 KiB of many servers.
    public var maximumHeaderLineBytes = 16 << 10
    /// The largest number of header fields of that head. Default: 128. At most 65,534.
    public var maximumHeaders = 128
    /// How much of a refusal's body is kept, in bytes. Default: 64 KiB.
    public var maximumRefusalBytes = 64 << 10

    /// Makes the default limits.
    public init() {}
}
