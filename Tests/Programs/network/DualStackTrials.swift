import Glibc
import TestSupport
import WebSocketClient

/// A host with an IPv6 and an IPv4 address, of which one may lead nowhere (RFC 8305).
enum DualStackTrials {
    static let all = [
        Trial("IPv6 is taken where both work") { _ in try expect(AF_INET6) },
        Trial("IPv4 is taken where IPv6 leads nowhere") { link in
            try link.lose(.six)
            try expect(AF_INET)
        },
        Trial("IPv6 is taken where IPv4 leads nowhere") { link in
            try link.lose(.four)
            try expect(AF_INET6)
        },
        Trial("Where both lead nowhere, connecting ends by its limit") { link in
            try link.lose()
            let error = try Trial.failure { try Trial.connect(to: "dual.test") }
            guard case .timedOut(.connecting) = error else { throw error }
        },
        Trial("IPv4 is taken where this machine has no route for IPv6") { _ in
            try runProgram("ip", ["-6", "address", "flush", "dev", "near"])
            defer {
                _ = try? runProgram(
                    "ip",
                    ["address", "add", "2001:db8::1/64", "dev", "near", "nodad"]
                )
            }
            try expect(AF_INET)
            let error = try Trial.failure { try Trial.connect(to: "six.test") }
            guard case .connectFailed(_, let attempts) = error else { throw error }
            try Trial.check("\(attempts)".contains("Network is unreachable"), "\(error)")
        },
    ]

    private static func expect(_ family: Int32) throws {
        var taken: Int32?
        let time = try elapsed {
            // Far more than the address that leads nowhere may cost.
            let socket = try Trial.connect(to: "dual.test") { $0.timeouts.connect = .ample }
            taken = socket.fileDescriptor.map(peerFamily)
        }
        try Trial.check(taken == family, "it was \(taken.map { "\($0)" } ?? "none")")
        try Trial.check(time < Trial.limit, "it took \(time)")
    }

    private static func peerFamily(_ descriptor: Int32) -> Int32 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout.size(ofValue: address))
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getpeername(descriptor, $0, &length)
            }
        }
        return Int32(address.ss_family)
    }
}
