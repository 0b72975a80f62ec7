import Testing
import WebSocketProtocol

@Suite("Base64, RFC 4648 §4")
struct Base64Tests {
    @Test(
        "The RFC's examples go both ways",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ]
    )
    func examples(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test("All digits are used")
    func alphabet() {
        let text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        #expect(Base64.decode(text).map(Base64.encode) == text)
    }

    @Test(
        "Text that isn't canonical base64 is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm 9v", "Zm9-",
        ]
    )
    func invalid(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test("Credentials are RFC 7617's example")
    func basic() {
        let credentials = BasicCredentials(user: "Aladdin", password: "open sesame")
        #expect(credentials.fieldValue == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect(
            BasicCredentials(user: "test", password: "123\u{A3}").fieldValue
                == "Basic dGVzdDoxMjPCow=="
        )
        #expect(!BasicCredentials(user: "a:b", password: "").isValid)
        #expect(!BasicCredentials(user: "a", password: "\r\n").isValid)
        #expect(!BasicCredentials(user: "a\u{7F}", password: "").isValid)
        #expect(BasicCredentials(user: "", password: "a:b").isValid)
    }
}
