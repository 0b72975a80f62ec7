import ArgumentParser
import TestSupport
import Testing
import WebSocketClient

@testable import wsdump

@Suite("wsdump's arguments", .blocking)
struct ArgumentsTests {
    private func parse(_ arguments: String...) throws -> WSDump {
        try WSDump.parse(Verbosity.spellOut(arguments))
    }

    @Test("Unusable arguments give one line, the usage, and status 64")
    func refused() throws {
        let url = "ws://127.0.0.1:1/"
        let cases: [([String], String)] = [
            ([], "Missing expected argument 'ws_url' (or --echo-server)"),
            (["http://x/"], "The URL's scheme is http; ws and wss are supported."),
            ([url, "--echo-server"], "--echo-server takes the place of ws_url."),
            ([url, "--headers", "bad"], "--headers: The header field name that begins with"),
            ([url, "-p", "ftp://x"], "--proxy: The proxy can't be used: its scheme must be"),
            ([url, "--ping-interval", "0"], "--ping-interval must be greater than 0."),
            ([url, "--ping-interval", "nan"], "The value 'nan' is invalid for '--ping-interval"),
            ([url, "--eof-wait", "1e300"], "The value '1e300' is invalid for '--eof-wait"),
            ([url, "--header", "no colon"], "--header: "),
            ([url, "-o", "x", "--no-origin"], "--origin and --no-origin can't be used together."),
            ([url, "--fragment", "0"], "--fragment must be at least 1."),
            ([url, "--fragment", "much"], "The value 'much' is invalid for '--fragment"),
            ([url, "--reconnect=-1"], "The value '-1' is invalid for '--reconnect"),
            ([url, "--file", "/no/such"], "--file: /no/such can't be read."),
            ([url, "--bench", "fast"], "--bench takes a size and a count, such as"),
            ([url, "--bench", "1x1", "--bench-window", "0"], "--bench takes a size and a count"),
            ([url, "--no-such-flag"], "Unknown option '--no-such-flag'"),
            ([url, "more"], "Unexpected argument 'more'"),
        ]
        for (arguments, message) in cases {
            let program = try RunningProgram.wsdump(arguments)
            let errors = try program.errors.takeAll()
            #expect(errors.hasPrefix("Error: \(message)"), "\(arguments): \(errors)")
            #expect(errors.contains("\nUsage: wsdump [options] ws_url\n"))
            #expect(try program.waitForExit() == 64)
            #expect(try program.output.takeAll().isEmpty)
        }
    }

    @Test("-h and --help say everything within 80 columns", arguments: ["-h", "--help"])
    func help(flag: String) throws {
        let program = try RunningProgram.wsdump(flag)
        let help = try program.output.takeAll()
        #expect(try program.waitForExit() == 0)
        for section in [
            "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "USAGE:", "CONNECTING:",
            "SENDING:", "SHOWING:", "MEASURING:",
        ] {
            #expect(help.contains("\n\(section)"), "\(section)")
        }
        let flags = [
            "-h,", "-p,", "-v,", "-n,", "-r,", "-s,", "-o,", "--eof-wait", "-t,",
            "--timings", "--headers", "--compress", "--binary", "--file", "--receipts", "--json",
            "--ping-interval", "--reconnect", "--echo-server", "--bench", "--bench-window",
            "-H,", "--no-origin", "--ciphers", "--fragment", "--join",
        ]
        for flag in flags { #expect(help.contains("  \(flag) "), "\(flag)") }
        for line in help.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }

    @Test("-v is accepted by itself, repeated, and with a number, as argparse does")
    func verbosity() throws {
        let url = "ws://h/"
        #expect(try parse(url).showing.verbose == 0)
        #expect(try parse("-v", url).showing.verbose == 1)
        #expect(try parse(url, "-v", "2").showing.verbose == 2)
        #expect(try parse("-vv", url).showing.verbose == 2)
        #expect(try parse("-v2", url).showing.verbose == 2)
        #expect(try parse("--verbose", "0", url).showing.verbose == 0)
        #expect(try parse("--verbose=2", url).showing.verbose == 2)
        #expect(try parse("-v", "--", url).showing.verbose == 1)
        #expect(Verbosity.spellOut(["--", "-v", "2"]) == ["--", "-v", "2"])
    }

    @Test("Subprotocols end at the next option, or at the URL")
    func subprotocols() throws {
        for arguments in [
            ["ws://h/", "-s", "a", "b"], ["-s", "a", "b", "ws://h/"],
            ["-s", "a", "b", "-r", "ws://h/"], ["-s", "a", "-s", "b", "--", "wss://h/"],
        ] {
            let command = try WSDump.parse(arguments)
            #expect(command.connecting.subprotocols == ["a", "b"])
            #expect(command.url?.hasSuffix("://h/") == true)
        }
    }

    @Test("A proxy has a kind and credentials, and SOCKS is among the kinds")
    func proxies() throws {
        func proxy(_ text: String) throws -> Proxy? {
            guard
                case .proxy(let proxy) = try parse("-p", text, "ws://h/").connecting.options().proxy
            else { return nil }
            return proxy
        }
        #expect(try proxy("http://127.0.0.1:8080") == .http(host: "127.0.0.1", port: 8080))
        #expect(try proxy("127.0.0.1:8080") == .http(host: "127.0.0.1", port: 8080))
        let credentials = BasicCredentials(user: "us er", password: "p:w")
        #expect(
            try proxy("socks5h://us%20er:p%3Aw@[::1]")
                == .socks5(host: "::1", port: 1080, credentials: credentials)
        )
        #expect(try proxy("socks4a://h:1")?.kind == .socks4a)
    }

    @Test("Header fields are collected from all options, and --header takes commas")
    func headers() throws {
        let options = try parse(
            "--headers",
            "X-A: 1, X-B: 2",
            "-H",
            "Accept-Language: en, de;q=0.5",
            "--headers",
            "X-C: 3",
            "--header",
            "X-D: a,b",
            "ws://h/"
        ).connecting.options()
        #expect(options.headers["X-A"] == "1" && options.headers["X-B"] == "2")
        #expect(options.headers["X-C"] == "3" && options.headers["X-D"] == "a,b")
        #expect(options.headers["Accept-Language"] == "en, de;q=0.5")
    }

    @Test("Origin, ciphers and the size of fragments reach the library")
    func passedOn() throws {
        let command = try parse(
            "--no-origin",
            "--ciphers",
            "DEFAULT@SECLEVEL=0",
            "--fragment",
            "64KiB",
            "wss://h/"
        )
        let options = try command.connecting.options()
        #expect(options.origin == .omitted)
        #expect(options.tls.ciphers == "DEFAULT@SECLEVEL=0")
        #expect(command.sending.fragment?.bytes == 65536)
    }

    @Test("An argument that isn't UTF-8 is refused, not changed")
    func bytesInArguments() throws {
        let path = try RunningProgram.built("wsdump")
        let shell = "exec \(path) --binary -t \"$(printf 'caf\\351')\" ws://127.0.0.1:1/"
        let program = try RunningProgram("/bin/sh", ["-c", shell], on: .pipes)
        #expect(try program.errors.takeAll().hasPrefix("Error: Argument 3 is not UTF-8"))
        #expect(try program.waitForExit() == 64)
    }

    @Test("-n turns verification off, --compress offers compression")
    func choices() throws {
        let plain = try parse("ws://h/").connecting.options()
        #expect(plain.compression == nil)
        let options = try parse("-n", "--compress", "ws://h/").connecting.options()
        #expect(options.tls.verification != plain.tls.verification)
        #expect(options.compression != nil)
    }
}
