// Names of versions before 0.1.0. The compiler offers the new one.

/// The former name of ``ConnectionEnd``.
@available(*, unavailable, renamed: "ConnectionEnd")
public typealias Closure = ConnectionEnd
