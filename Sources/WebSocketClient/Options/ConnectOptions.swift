public import HTTPTypes
public import Logging
public import WebSocketProtocol

/// Everything that can be chosen about a connection; the defaults are safe and fit most servers.
public struct ConnectOptions: Sendable {
    /// The value of a header field that is normally derived from the URL.
    public enum HeaderChoice: Sendable, Hashable {
        /// The value derived from the URL.
        case automatic
        /// This value.
        case custom(String)
        /// No such field. (`suppress_host`, `suppress_origin`)
        case omitted
    }

    /// How to reach the server.
    public enum ProxyChoice: Sendable, Hashable {
        /// As the environment variables `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` say.
        case environment
        /// Directly.
        case none
        /// Through this proxy, unless `noProxy` names the host.
        case proxy(Proxy)
    }

    /// How long each stage may take.
    public var timeouts = Timeouts()

    /// Further header fields of the handshake. One with the name of a generated field replaces it.
    ///
    /// Write `[.authorization: "Bearer …"]` as a literal; `HTTPFields(["X-Trace": "1"])` takes names
    /// and values as text, and refuses those that can't be sent.
    public var headers = HTTPFields()
    /// The `Origin` field. Default: the URL's.
    public var origin = HeaderChoice.automatic
    /// The `Host` field. Default: the URL's.
    public var host = HeaderChoice.automatic
    /// The `Connection` field's value, if not `Upgrade`.
    public var connection: String?
    /// Cookies to send besides those of the jar, such as `"a=1; b=2"`.
    public var cookie: String?
    /// Where cookies are kept between connections; `nil` for none. Default: the process's jar.
    public var cookieJar: CookieJar? = .shared
    /// The subprotocols to offer, the preferred one first; compared exactly.
    public var subprotocols: [String] = []
    /// Whether the server must choose one of them. Default: no.
    public var requiresSubprotocol = false
    /// Header fields that a redirect to another origin carries as well. Default: none.
    ///
    /// Another origin is another scheme, host or port. Of ``headers`` it gets those that are known to
    /// be harmless, such as `Accept-Language` and `User-Agent`, and those listed here. It doesn't get
    /// ``cookie``, ``host``, ``subprotocols`` (which carry a token for some services; list
    /// `.secWebSocketProtocol` to offer them there too), or the URL's user and password; and of
    /// ``tls``, the server name, the client certificate, the pinned keys and the context hook don't
    /// apply to it.
    public var headersForOtherOrigins: Set<HTTPField.Name> = []
    /// How many redirects are followed. Default: 3.
    public var redirectLimit = 3
    /// Whether a redirect may lead from wss to ws. Default: no.
    public var allowsInsecureRedirects = false

    /// How to reach the server. Default: as the environment says.
    public var proxy = ProxyChoice.environment
    /// The hosts that are reached directly, in place of the environment's `no_proxy`: names, which stand
    /// for their subdomains as well, addresses, networks such as `10.0.0.0/8`, and `*` for all.
    public var noProxy: [String]?
    /// Socket options, set after ``SocketOption/defaults`` and before connecting.
    public var socketOptions: [SocketOption] = []
    /// TLS, for wss URLs.
    public var tls: TLSOptions {
        get { sharedTLS.options }
        set { sharedTLS = SharedTLSOptions(newValue) }
    }
    /// Every connection keeps its options; so those that were given the same ones keep these together.
    private var sharedTLS = SharedTLSOptions.defaults
    /// An already connected stream socket to use: no resolution, no proxy, no TLS, and no redirect is
    /// followed. The URL is used only for the header fields.
    ///
    /// It serves one attempt to connect, which owns it: the descriptor is closed at the connection's
    /// end, or when connecting fails in any way. Its settings aren't changed. ``WebSocket/options`` and
    /// ``WebSocketApp/options`` no longer contain it then, so connecting again uses the URL.
    public var socket: Int32?
    /// The path of a Unix socket to connect to. The URL is used only for the header fields, wss speaks
    /// TLS over the socket, and no redirect is followed.
    public var unixSocketPath: String?

    /// Compression with permessage-deflate (RFC 7692), if the server agrees. Default: none, as it
    /// costs time and memory, and can give away secrets that share a message with an attacker's text.
    public var compression: DeflateOptions?
    /// Whether messages are collected for a moment, so that many go out with one system call. Default: no.
    public var corking = Corking.off
    /// How long a ping, a pong or a close frame may wait, at most, behind what is being sent; `nil`, the default, for
    /// as long as that takes. More than zero, sensibly from 1 ms to some seconds; otherwise connecting throws
    /// ``WebSocketError/invalidArgument(_:)``.
    ///
    /// Only control frames may come between the fragments of a message (RFC 6455 §5.4), so a message that
    /// would take longer than that is cut into fragments, at the rate that this connection has shown so far; the
    /// peer gets the same message. A message that goes out in time anyway goes as one frame. What the system's
    /// buffer holds unsent is limited too, as nothing can pass it: on TCP sockets, but not on one given in
    /// ``socket``. Behind these is what the network itself holds, which comes on top: the round trip of a
    /// ping is that of the line plus this delay.
    ///
    /// A close frame passes too. A message under way then remains incomplete, and its `send` throws
    /// ``WebSocketError/connectionClosed(_:)``: wait for your messages before you close. If the `send` has ended
    /// before, as its time had run out, ``ConnectionEnd/unsentMessages`` counts the message. Other threads'
    /// messages wait until one that is cut has gone. Frames of ``WebSocket/send(frame:)`` are cut like others;
    /// overrides of it see them whole.
    public var maximumControlDelay: Duration?
    /// How much the peer may make this end hold.
    public var limits = Limits()
    /// Whether received text is checked to be UTF-8. Default: yes. If not, malformed text is repaired.
    public var validatesUTF8 = true
    /// Whether each fragment of a message is delivered as it arrives. Default: no.
    /// (`fire_cont_frame`)
    public var deliversFragments = false
    /// Makes the masking key of each frame, with its bytes in wire order in memory. Default: the
    /// kernel's random generator; anything else is for tests. (`get_mask_key`)
    public var maskingKey: (@Sendable () -> UInt32)?
    /// The logger for this connection's events, one entry each. With `nil`, the default, nothing is
    /// logged, at no cost.
    ///
    /// Connecting, the handshake, close frames and the end are logged at level `debug`; frames, and the
    /// fields of the handshake, at `trace`. Each entry has metadata:
    ///
    /// | Key | Value |
    /// | --- | --- |
    /// | `ws.connection` | A number that no other connection of the process has |
    /// | `ws.url.host` | The host, that of a redirect included |
    /// | `ws.direction` | `sent` or `received` |
    /// | `ws.opcode`, `ws.final` | Of a frame: `text`, `binary`, …; whether its message ends with it |
    /// | `ws.size` | Its payload in bytes, as it is on the wire when sent compressed |
    /// | `ws.close.code`, `ws.status` | Of a close frame; of the handshake's response |
    ///
    /// Payloads are never logged, nor are the queries of URLs and credentials, as described at
    /// ``enableTrace(_:logger:level:)``. The handler runs on the thread that sends or receives, outside
    /// every lock, and should return soon. Messages that it sends on a connection that is just sending
    /// are refused, and nothing that it does on that thread is logged.
    public var logger: Logger?

    /// Makes the default options.
    public init() {}

    /// Makes the default options with one time-out.
    ///
    /// - Parameter timeout: The limit of each stage and call; `nil` waits without end.
    public init(timeout: Duration?) {
        timeouts = Timeouts(all: timeout)
    }
}

/// TLS options that never change.
private final class SharedTLSOptions: Sendable {
    static let defaults = SharedTLSOptions(TLSOptions())

    let options: TLSOptions

    init(_ options: TLSOptions) { self.options = options }
}

extension ConnectOptions: CustomReflectable {
    /// Everything but the values of header fields and cookies, which may be credentials, so that
    /// neither `print` nor `dump` shows them.
    public var customMirror: Mirror {
        Mirror(
            self,
            children: [
                "timeouts": timeouts, "headers": headers.map(\.name.rawName), "origin": origin,
                "host": host, "connection": connection as Any, "hasCookie": cookie != nil,
                "hasCookieJar": cookieJar != nil, "subprotocolCount": subprotocols.count,
                "requiresSubprotocol": requiresSubprotocol,
                "headersForOtherOrigins": headersForOtherOrigins.map(\.rawName),
                "redirectLimit": redirectLimit, "allowsInsecureRedirects": allowsInsecureRedirects,
                "proxy": proxy, "noProxy": noProxy as Any, "socketOptions": socketOptions,
                "tls": tls,
                "socket": socket as Any, "unixSocketPath": unixSocketPath as Any,
                "compression": compression as Any, "corking": corking,
                "maximumControlDelay": maximumControlDelay as Any, "limits": limits,
                "validatesUTF8": validatesUTF8,
                "deliversFragments": deliversFragments, "hasMaskingKey": maskingKey != nil,
                "hasLogger": logger != nil,
            ]
        )
    }
}
