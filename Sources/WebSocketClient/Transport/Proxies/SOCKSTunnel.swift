import struct WebSocketProtocol.BasicCredentials
import struct WebSocketProtocol.Host

/// SOCKS 4, and 4a, by which the proxy resolves the name.
enum SOCKS4Tunnel {
    private static let version: UInt8 = 4
    private static let connect: UInt8 = 1
    private static let granted: UInt8 = 90

    static func check(_ proxy: Proxy) throws(TransportError) {
        let user = proxy.credentials?.user ?? ""
        guard !user.utf8.contains(0), user.utf8.count <= 255 else {
            throw .invalidArgument("A SOCKS 4 user name can have at most 255 bytes and no NUL.")
        }
    }

    static func open(_ tunnel: ProxyTunnel, _ dialogue: ProxyDialogue) throws(TransportError) {
        let user = Array((tunnel.proxy.credentials?.user ?? "").utf8) + [0]
        var request = [version, connect] + tunnel.port.bytes
        if let address = try address(of: tunnel) {
            request += address + user
        } else {
            // SOCKS 4a: an impossible address means that the name follows.
            request += [0, 0, 0, 1] + user + Array(tunnel.host.text.utf8) + [0]
        }
        try dialogue.send(request)
        let reply = try dialogue.receive(8)
        guard reply[0] == 0 else {
            throw .proxy(.malformedAnswer("It isn't a SOCKS 4 reply."))
        }
        guard reply[1] == granted else {
            throw .proxy(.socksReply(version: 4, code: reply[1], text: text(of: reply[1])))
        }
    }

    /// The IPv4 address of the target; `nil` if the proxy is to find it.
    private static func address(of tunnel: ProxyTunnel) throws(TransportError) -> [UInt8]? {
        if let numeric = tunnel.host.addressBytes {
            guard numeric.count == 4 else { throw .proxy(.unsupportedAddress) }
            return numeric
        }
        guard tunnel.proxy.kind == .socks4 else { return nil }
        let addresses = try tunnel.resolve().compactMap(\.addressBytes)
        guard let address = addresses.first(where: { $0.count == 4 }) else {
            throw .proxy(.unsupportedAddress)
        }
        return address
    }

    private static func text(of code: UInt8) -> String {
        switch code {
        case 91: "rejected or failed"
        case 92: "it can't reach the client's identd"
        case 93: "the client's identd names another user"
        default: "unknown reply"
        }
    }
}

/// SOCKS 5, RFC 1928, with user and password, RFC 1929.
enum SOCKS5Tunnel {
    private static let version: UInt8 = 5
    private static let connect: UInt8 = 1
    private static let passwordVersion: UInt8 = 1

    private enum Method {
        static let none: UInt8 = 0
        static let password: UInt8 = 2
        static let refused: UInt8 = 0xff
    }

    private enum AddressType {
        static let version4: UInt8 = 1
        static let name: UInt8 = 3
        static let version6: UInt8 = 4
    }

    static func check(_ proxy: Proxy) throws(TransportError) {
        if let credentials = proxy.credentials {
            guard (1...255).contains(credentials.user.utf8.count),
                credentials.password.utf8.count <= 255
            else { throw .invalidArgument("A SOCKS 5 user or password has at most 255 bytes.") }
        }
    }

    static func open(_ tunnel: ProxyTunnel, _ dialogue: ProxyDialogue) throws(TransportError) {
        try agreeOnMethod(tunnel.proxy.credentials, dialogue)
        let target = try target(of: tunnel)
        try dialogue.send([version, connect, 0] + target + tunnel.port.bytes)
        let reply = try dialogue.receive(4)
        guard reply[0] == version else {
            throw .proxy(.malformedAnswer("It isn't a SOCKS 5 reply."))
        }
        guard reply[1] == 0 else {
            throw .proxy(.socksReply(version: 5, code: reply[1], text: text(of: reply[1])))
        }
        try skipAddress(ofType: reply[3], dialogue)
    }

    private static func agreeOnMethod(
        _ credentials: BasicCredentials?,
        _ dialogue: ProxyDialogue
    ) throws(TransportError) {
        let methods = credentials == nil ? [Method.none] : [Method.none, Method.password]
        try dialogue.send([version, UInt8(methods.count)] + methods)
        let answer = try dialogue.receive(2)
        guard answer[0] == version else {
            throw .proxy(.malformedAnswer("It isn't a SOCKS 5 reply."))
        }
        switch (answer[1], credentials) {
        case (Method.none, _): return
        case (Method.password, let credentials?): try authenticate(credentials, dialogue)
        case (Method.refused, nil):
            throw .proxy(.authenticationFailed("it requires authentication, or allows nobody"))
        case (Method.refused, _):
            throw .proxy(.authenticationFailed("it does not support user name and password"))
        default: throw .proxy(.malformedAnswer("It chose a method that was not offered."))
        }
    }

    private static func authenticate(
        _ credentials: BasicCredentials,
        _ dialogue: ProxyDialogue
    ) throws(TransportError) {
        let (user, password) = (Array(credentials.user.utf8), Array(credentials.password.utf8))
        try dialogue.send(
            [passwordVersion, UInt8(user.count)] + user + [UInt8(password.count)] + password
        )
        let answer = try dialogue.receive(2)
        guard answer[1] == 0 else {
            throw .proxy(.authenticationFailed("wrong user name or password"))
        }
    }

    /// The target as an address, or as a name that the proxy resolves.
    private static func target(of tunnel: ProxyTunnel) throws(TransportError) -> [UInt8] {
        var address = tunnel.host.addressBytes
        if address == nil, tunnel.proxy.kind == .socks5 {
            address = try tunnel.resolve().first?.addressBytes
        }
        guard let address else {
            // At most 255 bytes, like every host.
            let name = Array(tunnel.host.text.utf8)
            return [AddressType.name, UInt8(name.count)] + name
        }
        return [address.count == 4 ? AddressType.version4 : AddressType.version6] + address
    }

    /// The address that the proxy connects from is of no use here.
    private static func skipAddress(
        ofType type: UInt8,
        _ dialogue: ProxyDialogue
    ) throws(TransportError) {
        let length: Int
        switch type {
        case AddressType.version4: length = 4
        case AddressType.version6: length = 16
        case AddressType.name: length = Int(try dialogue.receive(1)[0])
        default: throw .proxy(.malformedAnswer("It has an address of an unknown type."))
        }
        _ = try dialogue.receive(length + 2)
    }

    /// The words of RFC 1928 §6.
    private static func text(of code: UInt8) -> String {
        switch code {
        case 1: "general failure"
        case 2: "not allowed by its rules"
        case 3: "network unreachable"
        case 4: "host unreachable"
        case 5: "connection refused"
        case 6: "time to live expired"
        case 7: "it doesn't support CONNECT"
        case 8: "it doesn't support this type of address"
        default: "unknown reply"
        }
    }
}

extension UInt16 {
    /// In network order.
    fileprivate var bytes: [UInt8] { [UInt8(self >> 8), UInt8(truncatingIfNeeded: self)] }
}
