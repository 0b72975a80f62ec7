// wsaccel's names: the compiler answers them with the names to use here. Nothing
// of this exists at run time.

/// wsaccel's name.
@available(*, unavailable, renamed: "XORMasker")
public typealias XorMaskerSimple = XORMasker

/// wsaccel's name.
@available(*, unavailable, renamed: "XORMaskerNull")
public typealias XorMaskerNull = XORMaskerNull

/// wsaccel's name.
@available(*, unavailable, renamed: "UTF8Validator")
public typealias Utf8Validator = UTF8Validator

/// wsaccel's name.
@available(*, unavailable, renamed: "createXORMasker(_:length:)")
public func createXorMasker(_ mask: [UInt8], len: Int? = nil) throws -> XORMasker {
    try createXORMasker(mask, length: len)
}

// swift-format-ignore: AlwaysUseLowerCamelCase
/// Autobahn's name.
@available(*, unavailable, renamed: "createXORMasker(_:length:)")
public func create_xor_masker(_ mask: [UInt8], len: Int? = nil) throws -> XORMasker {
    try createXORMasker(mask, length: len)
}

extension UTF8Validator {
    /// wsaccel's name.
    @available(*, unavailable, renamed: "index")
    public var i: Int { index }

    // swift-format-ignore: AlwaysUseLowerCamelCase
    /// wsaccel's name.
    @available(*, unavailable, renamed: "accept")
    public static var UTF8_ACCEPT: Int { accept }

    // swift-format-ignore: AlwaysUseLowerCamelCase
    /// wsaccel's name.
    @available(*, unavailable, renamed: "reject")
    public static var UTF8_REJECT: Int { reject }
}
