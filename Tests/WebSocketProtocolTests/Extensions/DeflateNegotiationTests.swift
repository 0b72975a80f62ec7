import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Negotiating permessage-deflate, RFC 7692 §7.1")
struct DeflateNegotiationTests {
    static func offer(_ change: (inout DeflateOffer) -> Void) -> DeflateOffer {
        var offer = DeflateOffer()
        change(&offer)
        return offer
    }

    /// The result of the answer to these offers; nil if it fails the handshake.
    static func parameters(_ answer: String, offers: [DeflateOffer]) throws -> DeflateParameters? {
        var deflate = DeflateOptions()
        deflate.offers = offers
        do {
            return try HandshakeNegotiationTests.negotiate(deflate: deflate) {
                $0["Sec-WebSocket-Extensions"] = answer
            }.deflate
        } catch let failure as HandshakeFailure {
            #expect(failure.closeCode == .mandatoryExtension)
            return nil
        }
    }

    static func describe(_ parameters: DeflateParameters?) -> String {
        guard let parameters else { return "refused" }
        return (parameters.serverNoContextTakeover ? "fresh " : "")
            + "server \(parameters.serverMaxWindowBits), "
            + (parameters.clientNoContextTakeover ? "fresh " : "")
            + "client \(parameters.clientMaxWindowBits)"
    }

    @Test("The offers contain the options, in order of preference")
    func offers() throws {
        let lines = try HandshakeRequestTests.lines {
            var deflate = DeflateOptions()
            deflate.offers = [
                Self.offer {
                    $0.serverNoContextTakeover = true
                    $0.clientNoContextTakeover = true
                    $0.serverMaxWindowBits = 10
                    $0.clientMaxWindowBits = 8
                },
                Self.offer { $0.clientMaxWindowBits = nil },
            ]
            $0.deflate = deflate
        }
        #expect(
            lines.contains(
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                    + "client_no_context_takeover; server_max_window_bits=10; "
                    + "client_max_window_bits=8, permessage-deflate"
            )
        )
    }

    @Test(
        "The standard offer accepts every answer that the RFC allows, and nothing else",
        arguments: [
            ("", "server 15, client 15"),
            ("; server_no_context_takeover", "fresh server 15, client 15"),
            ("; client_no_context_takeover", "server 15, fresh client 15"),
            ("; server_max_window_bits=9", "server 9, client 15"),
            ("; server_max_window_bits=8", "server 8, client 15"),
            ("; client_max_window_bits=8", "server 15, client 8"),
            ("; client_max_window_bits=\"12\"", "server 15, client 12"),
            (
                ";client_max_window_bits=15;server_max_window_bits=15;client_no_context_takeover;server_no_context_takeover",
                "fresh server 15, fresh client 15"
            ),
            ("; client_max_window_bits", "refused"), ("; server_max_window_bits", "refused"),
            ("; server_max_window_bits=7", "refused"), ("; server_max_window_bits=16", "refused"),
            ("; server_max_window_bits=09", "refused"), ("; client_max_window_bits=+9", "refused"),
            ("; client_max_window_bits=010", "refused"), ("; client_max_window_bits=1", "refused"),
            ("; server_max_window_bits=99999999999999999999", "refused"),
            ("; server_no_context_takeover=1", "refused"),
            ("; client_no_context_takeover=true", "refused"),
            ("; server_no_context_takeover; server_no_context_takeover", "refused"),
            ("; server_max_window_bits=9; server_max_window_bits=9", "refused"),
            ("; client_max_window_bits=9; client_max_window_bits=10", "refused"),
            ("; unknown", "refused"), ("; Server_Max_Window_Bits=9", "refused"),
        ]
    )
    func answers(answer: String, expected: String) throws {
        let parameters = try Self.parameters(
            "permessage-deflate" + answer,
            offers: [DeflateOffer()]
        )
        #expect(Self.describe(parameters) == expected)
    }

    @Test(
        "An answer has to grant the requests",
        arguments: [
            (
                "; server_no_context_takeover; server_max_window_bits=10",
                "fresh server 10, fresh client 11"
            ),
            (
                "; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9",
                "fresh server 9, fresh client 9"
            ),
            (
                "; server_no_context_takeover; server_max_window_bits=10; client_no_context_takeover",
                "fresh server 10, fresh client 11"
            ),
            ("; server_no_context_takeover; server_max_window_bits=11", "refused"),
            ("; server_no_context_takeover", "refused"), ("; server_max_window_bits=10", "refused"),
            (
                "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12",
                "refused"
            ),
            ("", "refused"),
        ]
    )
    func demands(answer: String, expected: String) throws {
        let offer = Self.offer {
            $0.serverNoContextTakeover = true
            $0.clientNoContextTakeover = true
            $0.serverMaxWindowBits = 10
            $0.clientMaxWindowBits = 11
        }
        let parameters = try Self.parameters("permessage-deflate" + answer, offers: [offer])
        #expect(Self.describe(parameters) == expected)
    }

    @Test("A window that wasn't offered can't be asked for")
    func unofferedWindow() throws {
        let offer = Self.offer { $0.clientMaxWindowBits = nil }
        #expect(
            try Self.parameters("permessage-deflate; client_max_window_bits=9", offers: [offer])
                == nil
        )
        let parameters = try Self.parameters("permessage-deflate", offers: [offer])
        #expect(Self.describe(parameters) == "server 15, client 15")
    }

    @Test("An answer may accept any of several offers")
    func alternatives() throws {
        let offers = [
            Self.offer { $0.serverMaxWindowBits = 9 }, Self.offer { $0.clientMaxWindowBits = nil },
        ]
        let first = try Self.parameters(
            "permessage-deflate; server_max_window_bits=9",
            offers: offers
        )
        #expect(Self.describe(first) == "server 9, client 15")
        let second = try Self.parameters("permessage-deflate", offers: offers)
        #expect(Self.describe(second) == "server 15, client 15")
        #expect(
            try Self.parameters("permessage-deflate; client_max_window_bits=9", offers: offers)
                == nil
        )
    }

    /// A server's answer to an `Extensions` field, as text.
    static func answer(_ field: String, server: DeflateOffer = DeflateOffer()) -> String? {
        ExtensionElement.parse([field]).flatMap { server.accept($0) }?.element.text
    }

    @Test(
        "A server accepts the first offer that it supports",
        arguments: [
            ("permessage-deflate", "permessage-deflate"), ("other", nil), ("", nil),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
            (
                "permessage-deflate; client_max_window_bits=10",
                "permessage-deflate; client_max_window_bits=10"
            ),
            (
                "permessage-deflate; server_max_window_bits=15",
                "permessage-deflate; server_max_window_bits=15"
            ),
            (
                "permessage-deflate; server_max_window_bits=8",
                "permessage-deflate; server_max_window_bits=8"
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            ),
            ("permessage-deflate; server_max_window_bits", nil),
            (
                "permessage-deflate; x, other, permessage-deflate; server_max_window_bits=9",
                "permessage-deflate; server_max_window_bits=9"
            ),
        ]
    )
    func server(offers: String, expected: String?) {
        #expect(Self.answer(offers) == expected)
    }

    @Test("A server's own preferences bind it, and the client if its offer allows that")
    func serverWishes() {
        let server = Self.offer {
            $0.serverNoContextTakeover = true
            $0.clientNoContextTakeover = true
            $0.serverMaxWindowBits = 11
            $0.clientMaxWindowBits = 12
        }
        let always =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            + "server_max_window_bits="
        #expect(Self.answer("permessage-deflate", server: server) == always + "11")
        #expect(
            Self.answer("permessage-deflate; server_max_window_bits=9", server: server) == always
                + "9"
        )
        #expect(
            Self.answer("permessage-deflate; client_max_window_bits", server: server)
                == always + "11; client_max_window_bits=12"
        )
    }

    @Test("Both ends of every combination agree", arguments: [nil, 8, 11, 15], [nil, 8, 11, 15])
    func bothEnds(server: Int?, client: Int?) throws {
        for bits in [nil, 8, 11, 15] {
            for flags in 0..<8 {
                let offer = Self.offer {
                    $0.serverMaxWindowBits = server
                    $0.clientMaxWindowBits = client
                    $0.serverNoContextTakeover = flags & 1 != 0
                    $0.clientNoContextTakeover = flags & 2 != 0
                }
                let wishes = Self.offer {
                    $0.serverMaxWindowBits = bits
                    $0.clientMaxWindowBits = bits
                    $0.clientNoContextTakeover = flags & 4 != 0
                }
                let field = try HandshakeRequestTests.lines {
                    $0.deflate = DeflateOptions()
                    $0.deflate?.offers = [offer]
                }.first { $0.hasPrefix("Sec-WebSocket-Extensions: ") }
                let text = String(try #require(field).dropFirst(26))
                let offers = try #require(ExtensionElement.parse([text]))
                let answer = try #require(wishes.accept(offers))
                let result = try Self.parameters(answer.element.text, offers: [offer])
                let agreed = try #require(result)
                #expect(agreed.serverMaxWindowBits == answer.parameters.serverMaxWindowBits)
                // The client may use less than the server expects, never more.
                #expect(agreed.clientMaxWindowBits <= answer.parameters.clientMaxWindowBits)
                #expect(agreed.serverNoContextTakeover == answer.parameters.serverNoContextTakeover)
                #expect(agreed.clientNoContextTakeover == answer.parameters.clientNoContextTakeover)
            }
        }
    }

    @Test("Options out of range are named")
    func validation() throws {
        func name(_ change: (inout DeflateOptions) -> Void) -> InvalidHandshakeRequest? {
            var options = DeflateOptions()
            change(&options)
            do { try options.validate() } catch { return error }
            return nil
        }
        #expect(name { _ in } == nil)
        #expect(name { $0.level = -2 } == .deflateOption("level"))
        #expect(name { $0.memoryLevel = 0 } == .deflateOption("memoryLevel"))
        #expect(name { $0.memoryLevel = 10 } == .deflateOption("memoryLevel"))
        #expect(name { $0.threshold = -1 } == .deflateOption("threshold"))
        #expect(name { $0.offers = [] } == .deflateOption("offers"))
        #expect(
            name { $0.offers[0].serverMaxWindowBits = 16 } == .deflateOption("serverMaxWindowBits")
        )
        #expect(
            name { $0.offers[0].clientMaxWindowBits = 7 } == .deflateOption("clientMaxWindowBits")
        )
    }
}
