#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif
#if os(Linux)
    import CWebSocketLinux
#endif

/// Random bytes from the kernel's generator.
package enum RandomBytes {
    /// Fills `buffer`; waits only before the generator's first seeding at boot.
    package static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(TransportError) {
        #if os(Linux)
            var rest = buffer
            while let base = rest.baseAddress, !rest.isEmpty {
                switch SystemCalls.retrying({ getrandom(base, rest.count, 0) }) {
                case .success(let count):
                    rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
                case .failure(let error): throw .system(call: "getrandom", error)
                }
            }
        #else
            if let base = buffer.baseAddress { arc4random_buf(base, buffer.count) }
        #endif
    }
}
