import WebSocketClient

/// A message that shows whether it is whole and which one it is: a hash, a number, and contents.
struct Payload {
    let bytes: [UInt8]

    /// Digits of the number; they are hashed together with the contents.
    private static let numberCount = 16
    private static let digestCount = 20

    init(number: Int, contents: ArraySlice<UInt8>, isText: Bool) {
        let digits = String(number, radix: 16)
        let padding = String(repeating: "0", count: Self.numberCount - digits.utf8.count)
        let hashed = Array((padding + digits).utf8) + contents
        bytes = Self.digest(hashed, isText: isText) + hashed
    }

    /// The number of a message that arrived; nil if a bit of it is wrong.
    static func number(of message: [UInt8], isText: Bool) -> Int? {
        let digestCount = isText ? 2 * digestCount : digestCount
        guard message.count >= digestCount + numberCount else { return nil }
        let hashed = Array(message[digestCount...])
        guard digest(hashed, isText: isText).elementsEqual(message[..<digestCount]) else {
            return nil
        }
        return Int(String(decoding: hashed[..<numberCount], as: UTF8.self), radix: 16)
    }

    private static func digest(_ bytes: [UInt8], isText: Bool) -> [UInt8] {
        let digest = SHA1.digest(bytes)
        guard isText else { return digest }
        let digits = Array("0123456789abcdef".utf8)
        return digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}

/// The contents of messages: as compressible as text, and only ASCII.
enum Contents {
    private static let bytes: [UInt8] = {
        var generator = SystemRandomNumberGenerator()
        let words = ["lorem ", "ipsum ", "dolor ", "sit ", "amet, ", "\n", "12345", "{\"id\":"]
        var bytes: [UInt8] = []
        while bytes.count < 8 << 20 {
            bytes += words[Int.random(in: 0..<words.count, using: &generator)].utf8
            bytes.append(UInt8.random(in: 0x20...0x7E, using: &generator))
        }
        return bytes
    }()

    /// A piece of a random size: many small ones, a few large ones.
    static func random() -> ArraySlice<UInt8> {
        let size =
            switch Int.random(in: 0..<100) {
            case 0..<40: Int.random(in: 0...125)
            case 40..<65: Int.random(in: 126...4096)
            case 65..<85: Int.random(in: 4096...70_000)
            case 85..<97: Int.random(in: 70_000...400_000)
            default: Int.random(in: 400_000...3_000_000)
            }
        let start = Int.random(in: 0...(bytes.count - size))
        return bytes[start..<start + size]
    }
}
