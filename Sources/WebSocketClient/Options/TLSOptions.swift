import WebSocketProtocol

/// How a connection is secured with TLS: on the system's OpenSSL, strict by default.
///
/// By default, the peer must present a certificate that is signed by an authority that the system
/// trusts and names the URL's host; TLS 1.2 and 1.3 are supported.
public struct TLSOptions: Sendable, Hashable {
    /// How the peer's certificate is verified.
    public enum Verification: Sendable, Hashable {
        /// The chain up to a trusted authority, the dates, and the host's name.
        case full
        /// The chain and the dates; the certificate may name another host.
        case chainOnly
        /// Nothing: anybody on the way can read and change everything. For tests only.
        case none
    }

    /// A version of the protocol.
    public enum Version: Sendable, Hashable, Comparable {
        /// RFC 5246.
        case tls12
        /// RFC 8446.
        case tls13
    }

    /// How the peer's certificate is verified; in full by default.
    public var verification = Verification.full

    /// A PEM file of trusted authorities, in place of the system's.
    ///
    /// If neither this nor ``certificateAuthorityDirectory`` is set, the environment variable
    /// `WEBSOCKET_CLIENT_CA_BUNDLE` may name a file or a directory.
    public var certificateAuthorityFile: String?

    /// A directory of trusted authorities as `openssl rehash` lays it out, in place of the system's.
    public var certificateAuthorityDirectory: String?

    /// The client's certificate, presented if the server asks for one, in the handshake or (TLS 1.3)
    /// after it; never to another origin that a redirect leads to.
    public var clientCertificate: ClientCertificate?

    /// The name to send (SNI) and to verify in place of the URL's host; not used for another origin that a
    /// redirect leads to.
    ///
    /// A name or an address, an IPv6 address with or without brackets; anything else is refused with
    /// ``WebSocketError/invalidArgument(_:)`` before anything is sent.
    public var serverName: String?

    /// The lowest version that is accepted.
    public var minimumVersion = Version.tls12

    /// The highest version that is offered; `nil` for the newest.
    public var maximumVersion: Version?

    /// Cipher list for TLS 1.2 in OpenSSL's notation; `nil` for the system's.
    public var ciphers: String?

    /// Cipher suites for TLS 1.3, separated by colons; `nil` for the system's.
    public var cipherSuites: String?

    /// Groups (curves) for the key exchange, separated by colons, the preferred one first;
    /// `nil` for the system's.
    public var curves: String?

    /// The protocols offered with ALPN (RFC 7301); empty to offer none.
    public var applicationProtocols = ["http/1.1"]

    /// Whether a later connection to the same host may resume the session of an earlier one.
    public var resumesSessions = true

    /// A file to append the session's secrets to, so that Wireshark can decrypt a capture.
    ///
    /// `nil` uses the environment variable `SSLKEYLOGFILE`, if that is set.
    /// Whoever reads the file can read the connection. If it can't be opened, nothing is logged, the
    /// trace (``enableTrace(_:logger:level:)``) says so, and the connection goes on.
    public var keyLogFile: String?

    /// The only public keys that are accepted, anywhere in the peer's verified chain; empty to accept
    /// all. They don't apply to another origin that a redirect leads to.
    ///
    /// Pins are checked in addition to ``verification``, and with ``Verification/none`` against the
    /// peer's own certificate only.
    public var pinnedPublicKeys: Set<PublicKeyPin> = []

    /// Adjusts OpenSSL's context after all other options have been applied; not for another origin that a
    /// redirect leads to.
    public var contextHook: TLSContextHook?

    /// The defaults: everything is verified against the system's authorities.
    public init() {}

    /// The defaults with another degree of verification.
    public init(verification: Verification) {
        self.verification = verification
    }
}

extension TLSOptions {
    /// A certificate with its private key, in PEM files.
    public struct ClientCertificate: Sendable, Hashable {
        /// The certificate, followed by the intermediate certificates up to the authority.
        public var certificateFile: String

        /// The private key; `nil` if it is in the certificate's file.
        public var keyFile: String?

        /// The password of an encrypted key.
        public var password: String?

        /// Names the files; nothing is read before a connection is opened.
        public init(certificateFile: String, keyFile: String? = nil, password: String? = nil) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.password = password
        }
    }

    /// The SHA-256 hash of a certificate's SubjectPublicKeyInfo (RFC 7469 §2.4).
    public struct PublicKeyPin: Sendable, Hashable {
        /// The 32 bytes of the hash.
        public let sha256: [UInt8]

        /// Takes the hash; `nil` unless it has 32 bytes.
        public init?(sha256: [UInt8]) {
            guard sha256.count == 32 else { return nil }
            self.sha256 = sha256
        }

        /// Takes the hash in base64, with or without "sha256/" before it; `nil` if it isn't one.
        ///
        /// `openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der |
        /// openssl dgst -sha256 -binary | base64` prints it.
        public init?(base64 text: String) {
            let digits = text.hasPrefix("sha256/") ? text.dropFirst(7) : text[...]
            guard let bytes = Base64.decode(String(digits)) else { return nil }
            self.init(sha256: bytes)
        }
    }
}

extension TLSOptions.ClientCertificate: CustomStringConvertible, CustomReflectable {
    /// The files' names, never the password.
    public var description: String {
        "ClientCertificate(\(certificateFile), key: \(keyFile ?? certificateFile))"
    }

    /// Hides the password from `dump` and string interpolation.
    public var customMirror: Mirror {
        Mirror(self, children: ["certificateFile": certificateFile, "keyFile": keyFile as Any])
    }
}

/// A function that adjusts OpenSSL's `SSL_CTX`, for what no other option can do.
///
/// Two hooks are equal only if one is a copy of the other:
/// keep one hook for all connections, so that they can share a context and resume sessions.
public struct TLSContextHook: Sendable, Hashable {
    private final class Body: Sendable {
        let adjust: @Sendable (OpaquePointer) -> Void

        init(_ adjust: @escaping @Sendable (OpaquePointer) -> Void) {
            self.adjust = adjust
        }
    }

    private let body: Body

    /// Takes the function. It is called with the `SSL_CTX *` once per context, on the connecting
    /// thread.
    public init(_ adjust: @escaping @Sendable (_ context: OpaquePointer) -> Void) {
        body = Body(adjust)
    }

    package func callAsFunction(_ context: OpaquePointer) {
        body.adjust(context)
    }

    /// Whether both are copies of one hook.
    public static func == (left: TLSContextHook, right: TLSContextHook) -> Bool {
        left.body === right.body
    }

    /// Hashes the identity.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(body))
    }
}
