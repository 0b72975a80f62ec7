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

/// Standard input, output and error of a program, for the command line tools.
package enum StandardStreams {
    /// Opens /dev/null for each standard stream that the program was started without.
    ///
    /// The system gives the next descriptor the lowest free number: without this, text for standard
    /// output could end up in a socket. To be called before anything else is opened.
    package static func openMissing() {
        for descriptor in STDIN_FILENO...STDERR_FILENO
        where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            // In ascending order, the lowest free number is this one.
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Writes bytes to a descriptor, however long that takes.
    ///
    /// A terminal is shared, and another program may have made it non-blocking: then this waits for it.
    package static func write(
        _ bytes: UnsafeRawBufferPointer,
        to descriptor: Int32
    ) throws(ErrorNumber) {
        var rest = bytes
        while !rest.isEmpty {
            switch SystemCalls.retrying({ systemWrite(descriptor, rest) }) {
            case .success(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .failure(let error) where error.isWouldBlock:
                var entries = [PollEntry(descriptor, for: .write)]
                guard (try? Poll.wait(for: &entries, wakeUp: nil, until: .never)) == true else {
                    throw error
                }
            case .failure(let error): throw error
            }
        }
    }

    /// The result of one read of standard input.
    package enum Input {
        case bytes([UInt8])
        /// Nothing yet: another program has read the announced bytes.
        case nothing
        case end
    }

    /// Reads what standard input has, at most `limit` bytes.
    package static func read(atMost limit: Int) throws(ErrorNumber) -> Input {
        var result: Result<Int, ErrorNumber> = .success(0)
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let room = UnsafeMutableRawBufferPointer(buffer)
            result = SystemCalls.retrying { systemRead(STDIN_FILENO, room) }
            count = (try? result.get()) ?? 0
        }
        switch result {
        case .success: return bytes.isEmpty ? .end : .bytes(bytes)
        case .failure(let error) where error.isWouldBlock: return .nothing
        case .failure(let error): throw error
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}
