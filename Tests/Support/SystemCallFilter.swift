import Glibc

/// Makes the kernel refuse a system call to the calling thread, and to those that it starts, for good.
///
/// It is a filter of seccomp(2), so it needs no privilege; a test runs what it is about on a thread that
/// ends with it.
package enum SystemCallFilter {
    /// A system call by its number, which differs from one kind of processor to the next.
    package enum Call: String, CaseIterable, Sendable {
        case getrandom, eventfd2, socket, setsockopt, clone3
        case epoll_create1

        #if arch(x86_64)
            fileprivate static let architecture: UInt32 = 0xC000_003E
            fileprivate var number: UInt32 {
                switch self {
                case .getrandom: 318
                case .eventfd2: 290
                case .socket: 41
                case .setsockopt: 54
                case .clone3: 435
                case .epoll_create1: 291
                }
            }
        #elseif arch(arm64)
            fileprivate static let architecture: UInt32 = 0xC000_00B7
            fileprivate var number: UInt32 {
                switch self {
                case .getrandom: 278
                case .eventfd2: 19
                case .socket: 198
                case .setsockopt: 208
                case .clone3: 435
                case .epoll_create1: 20
                }
            }
        #endif
    }

    // linux/filter.h, which the Glibc module leaves out.
    private struct Instruction {
        var code: UInt16
        var ifEqual: UInt8 = 0
        var ifNot: UInt8 = 0
        var value: UInt32
    }

    private struct Program {
        var count: UInt16
        var instructions: UnsafePointer<Instruction>?
    }

    /// Lets `call` fail with EPERM from now on.
    package static func refuse(_ call: Call) throws {
        let (load, jumpIfEqual, answer): (UInt16, UInt16, UInt16) = (0x20, 0x15, 0x06)
        let (allow, refusal) = (UInt32(0x7FFF_0000), UInt32(0x0005_0000) | UInt32(EPERM))
        let instructions = [
            // struct seccomp_data: the number stands at 0, the architecture at 4.
            Instruction(code: load, value: 4),
            Instruction(code: jumpIfEqual, ifNot: 3, value: Call.architecture),
            Instruction(code: load, value: 0),
            Instruction(code: jumpIfEqual, ifNot: 1, value: call.number),
            Instruction(code: answer, value: refusal),
            Instruction(code: answer, value: allow),
        ]
        // prctl(2) takes any number of arguments, so Swift doesn't import it; all of them are words.
        typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
        guard let symbol = dlsym(nil, "prctl") else { throw SupportError("there is no prctl") }
        let control = unsafeBitCast(symbol, to: Control.self)
        // PR_SET_NO_NEW_PRIVS, without which only root may go on; then PR_SET_SECCOMP.
        guard control(38, 1, 0, 0, 0) == 0 else { throw SupportError("prctl: errno \(errno)") }
        let status = instructions.withUnsafeBufferPointer { buffer in
            var program = Program(count: UInt16(buffer.count), instructions: buffer.baseAddress)
            return withUnsafePointer(to: &program) {
                control(22, 2, UInt(bitPattern: $0), 0, 0)
            }
        }
        guard status == 0 else { throw SupportError("prctl: errno \(errno)") }
    }
}
