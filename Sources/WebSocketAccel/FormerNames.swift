// Names of versions before 0.1.0. The compiler offers the new ones.

/// The former name of ``Accel/backend``.
@available(*, unavailable, renamed: "Accel.backend")
public var backend: String { Accel.backend }

/// The former name of ``Accel/mask(_:key:)``.
@available(*, unavailable, renamed: "Accel.mask(_:key:)")
public func mask(_ bytes: inout [UInt8], key: InlineArray<4, UInt8>) {}

/// The former name of ``Accel/isValidUTF8(_:)``.
@available(*, unavailable, renamed: "Accel.isValidUTF8(_:)")
public func isValidUTF8(_ bytes: [UInt8]) -> Bool { Accel.isValidUTF8(bytes) }
