import CZlib

public struct HTTPFields: Sendable {
    public static var library: String { "Hummingbird \(stand_in_for_CZlib())" }

    public init() {}
}

public struct Message: Sendable {
    public init() {}
}
