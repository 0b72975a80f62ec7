import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Proxy URLs and environment variables")
struct ProxyEnvironmentTests {
    @Test(
        "The scheme of a URL is honoured, and gives the port",
        arguments: [
            ("http://p.example:3128", "http://p.example:3128"),
            ("http://p.example:3128/", "http://p.example:3128"),
            ("p.example", "http://p.example:80"), ("p.example:8080", "http://p.example:8080"),
            ("HTTP://P.example", "http://p.example:80"),
            ("https://p.example", "https://p.example:443"),
            ("socks4://p.example", "socks4://p.example:1080"),
            ("socks4a://p.example:9", "socks4a://p.example:9"),
            ("socks5://p.example", "socks5://p.example:1080"),
            ("socks5h://p.example", "socks5h://p.example:1080"),
            ("socks://p.example", "socks5://p.example:1080"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            (" http://p.example ", "http://p.example:80"),
        ]
    )
    func parsing(text: String, description: String) throws {
        #expect(Proxy(url: text)?.description == description)
    }

    @Test("User and password are percent-decoded")
    func credentials() throws {
        let proxy = try #require(Proxy(url: "socks5h://us%40er:p%3Aa%2Fss@p.example:1"))
        #expect(proxy.credentials == BasicCredentials(user: "us@er", password: "p:a/ss"))
        #expect(proxy.host == "p.example" && proxy.port == 1)
        #expect(Proxy(url: "http://user@p.example")?.credentials?.password == "")
    }

    @Test(
        "A string that isn't a proxy's URL is refused, without its text in the error",
        arguments: [
            "", "ftp://p.example", "http://", "http://user:s3cret@", "http://u:s3cret%@p.example",
            "http://p.example:s3cret", "http://p.example:99999", "http://u:s3cret@a@b",
            "http://u:s3%0Acret@p.example", "http://127.1:s3", "http://s3\\@evil.test",
            "socks6://u:s3cret@p.example", "http://[::1",
        ]
    )
    func refused(text: String) throws {
        #expect(Proxy(url: text) == nil)
        let error = #expect(throws: ProxyError.self) { try Proxy(parsing: text) }
        #expect(error?.description.contains("s3") == false)
    }

    private func proxy(
        _ variables: [String: String],
        isSecure: Bool = true,
        noProxy: [String]? = nil
    ) throws -> String? {
        try ProxyEnvironment.proxy(
            isSecure: isSecure,
            host: "host.example",
            port: 443,
            noProxy: noProxy,
            variable: { variables[$0] }
        )?.description
    }

    @Test("wss uses https_proxy, ws uses http_proxy, both use all_proxy, lower case first")
    func variables() throws {
        #expect(try proxy([:]) == nil)
        #expect(try proxy(["https_proxy": "a", "HTTPS_PROXY": "b"]) == "http://a:80")
        #expect(try proxy(["HTTPS_PROXY": "b", "all_proxy": "c"]) == "http://b:80")
        #expect(try proxy(["http_proxy": "a", "HTTP_PROXY": "b"]) == nil)
        #expect(
            try proxy(["http_proxy": "a", "HTTP_PROXY": "b"], isSecure: false) == "http://a:80"
        )
        #expect(try proxy(["HTTP_PROXY": "b"], isSecure: false) == "http://b:80")
        #expect(try proxy(["https_proxy": "a"], isSecure: false) == nil)
        #expect(try proxy(["all_proxy": "socks5h://c", "ALL_PROXY": "d"]) == "socks5h://c:1080")
        #expect(try proxy(["ALL_PROXY": "d"], isSecure: false) == "http://d:80")
        #expect(try proxy(["https_proxy": "", "HTTPS_PROXY": "b"]) == "http://b:80")
        #expect(
            try proxy(["https_proxy": "", "HTTPS_PROXY": "", "all_proxy": "c"]) == "http://c:80"
        )
        #expect(try proxy(["https_proxy": ""]) == nil)
    }

    @Test("HTTP_PROXY is ignored in a CGI program, where a request sets it")
    func cgi() throws {
        let variables = ["HTTP_PROXY": "evil", "REQUEST_METHOD": "GET"]
        #expect(try proxy(variables, isSecure: false) == nil)
        #expect(
            try proxy(["http_proxy": "a", "REQUEST_METHOD": "GET"], isSecure: false)
                == "http://a:80"
        )
    }

    @Test("no_proxy is obeyed, and the option replaces it")
    func noProxy() throws {
        let variables = ["https_proxy": "a", "no_proxy": "x.example,host.example"]
        #expect(try proxy(variables) == nil)
        #expect(try proxy(["https_proxy": "a", "NO_PROXY": "*"]) == nil)
        #expect(try proxy(["https_proxy": "a", "no_proxy": "", "NO_PROXY": "*"]) == nil)
        #expect(try proxy(variables, noProxy: []) == "http://a:80")
        #expect(try proxy(["https_proxy": "a"], noProxy: [".example"]) == nil)
    }

    @Test("An error names the variable, not its value")
    func errors() throws {
        let error = #expect(throws: TransportError.self) {
            try proxy(["https_proxy": "gopher://u:s3cret@p"])
        }
        #expect(error?.description.contains("https_proxy") == true)
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test("A proxy shows no credentials and no header values")
    func hidden() throws {
        var proxy = try #require(Proxy(url: "http://user:s3cret@p.example"))
        proxy.headers.append(name: "X-Token", value: "t0ken")
        var dumped = ""
        dump(proxy, to: &dumped)
        for text in [dumped, "\(proxy)", String(reflecting: proxy)] {
            #expect(!text.contains("s3cret") && !text.contains("t0ken") && !text.contains("user"))
        }
    }
}
