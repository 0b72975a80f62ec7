/// The fuzz targets: everything that reads data from a server, a proxy or a URL.
///
/// A target takes any bytes. Each try is accepted or ends in a documented error; the target throws a
/// ``Finding`` when results contradict each other, and a trap is a finding too.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case body, close, cookies, deflate, extensions, folds, frames, handshake, hosts, inflate,
        kernels
    case location, proxy, records, url

    /// Tries one input.
    public func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = Input(bytes)
        switch self {
        case .body: try BodyFuzz.run(&input)
        case .close: try CloseFuzz.run(&input)
        case .cookies: try CookieFuzz.run(&input)
        case .deflate: try DeflateFuzz.run(&input)
        case .extensions: try ExtensionFuzz.run(&input)
        case .folds: try FoldFuzz.run(&input)
        case .frames: try FrameFuzz.run(&input)
        case .handshake: try HandshakeFuzz.run(&input)
        case .hosts: try HostFuzz.run(&input)
        case .inflate: try InflateFuzz.run(&input)
        case .kernels: try KernelFuzz.run(bytes)
        case .location: try LocationFuzz.run(&input)
        case .proxy: try ProxyFuzz.run(&input)
        case .records: try RecordFuzz.run(&input)
        case .url: try URLFuzz.run(&input)
        }
    }
}

/// A property that an input violates.
public struct Finding: Error, CustomStringConvertible {
    public var description: String
}

/// Throws a finding unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(Finding) {
    guard condition else { throw Finding(description: message()) }
}

/// The result of `body`; nil if it throws a documented error, whose text is checked.
func accepted<Value, Failure: Error & CustomStringConvertible>(
    _ body: () throws(Failure) -> Value
) throws(Finding) -> Value? {
    let failure: Failure
    do throws(Failure) {
        return try body()
    } catch {
        failure = error
    }
    try requireEscaped(failure.description)
    return nil
}

/// Requires that text with a peer's words is safe in a log: one line, without anything that a terminal
/// obeys.
func requireEscaped(_ text: String) throws(Finding) {
    let isEscaped = text.unicodeScalars.allSatisfy { scalar in
        switch scalar.value {
        case 0x09, 0x20...0x7E: true
        case 0...0x9F, 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
    try require(isEscaped, "a description with control characters: \(text.debugDescription)")
}
