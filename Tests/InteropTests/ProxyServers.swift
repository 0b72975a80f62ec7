import TestSupport

/// Real proxies on loopback, each with a configuration of its own.
enum ProxyServers {
    static let user = "alice"
    static let password = "p@ss:w/ord"

    /// Squid, with or without credentials.
    static func squid(withCredentials: Bool) throws -> ServerProcess {
        try ServerProcess("squid") { port, folder in
            var rules = "http_access allow all"
            if withCredentials {
                let hash = try runProgram("openssl", ["passwd", "-apr1", password])
                let passwords = try folder.write("\(user):\(hash)", to: "passwords")
                rules = """
                    auth_param basic program /usr/lib/squid/basic_ncsa_auth \(passwords)
                    acl known proxy_auth REQUIRED
                    http_access allow known
                    http_access deny all
                    """
            }
            let configuration = try folder.write(
                """
                http_port 127.0.0.1:\(port)
                \(rules)
                cache deny all
                access_log none
                cache_log /dev/null
                pid_filename none
                coredump_dir \(folder.path)
                shutdown_lifetime 0
                """,
                to: "squid.conf"
            )
            return ["-N", "-f", configuration]
        }
    }

    /// Tinyproxy, which answers CONNECT with HTTP/1.0.
    static func tinyproxy(withCredentials: Bool) throws -> ServerProcess {
        try ServerProcess("tinyproxy") { port, folder in
            let configuration = try folder.write(
                """
                Port \(port)
                Listen 127.0.0.1
                Timeout 60
                MaxClients 20
                \(withCredentials ? "BasicAuth \(user) simple-password" : "")

                """,
                to: "tinyproxy.conf"
            )
            return ["-d", "-c", configuration]
        }
    }

    /// microsocks: SOCKS 5.
    static func microsocks(withCredentials: Bool) throws -> ServerProcess {
        try ServerProcess("microsocks") { port, _ in
            ["-i", "127.0.0.1", "-p", "\(port)"]
                + (withCredentials ? ["-u", user, "-P", password] : [])
        }
    }

    /// Dante: SOCKS 4 and 5; `rules` stand before the one that allows all.
    static func dante(rules: String = "") throws -> ServerProcess {
        try ServerProcess("danted") { port, folder in
            let configuration = try folder.write(
                """
                logoutput: stderr
                internal: 127.0.0.1 port = \(port)
                external: lo
                clientmethod: none
                socksmethod: none
                client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
                \(rules)
                socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }

                """,
                to: "danted.conf"
            )
            return ["-f", configuration, "-p", "\(folder.path)/pid"]
        }
    }
}
