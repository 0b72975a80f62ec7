import Foundation

// bench-kernels FOLDER
//
// Times every set of kernels on the payloads in FOLDER, in one process, and prints a line of JSON for
// each: {"peer": …, "work": "mask", "kind": "binary", "size": …, "ns": …}.

guard CommandLine.arguments.count == 2 else {
    print("usage: bench-kernels <folder with payloads>")
    exit(2)
}
let folder = CommandLine.arguments[1]
let sizes = [16, 125, 1 << 10, 16 << 10, 64 << 10, 1 << 20]
let key: UInt32 = 0x1357_9BDF

for size in sizes {
    let destination = Memory(size: size)
    let binary = try Memory(file: "\(folder)/binary-\(size)", size: size)
    report("memcpy", "mask, copying", "binary", size) {
        memcpy(destination.base, binary.base, size)
    }
    for kernels in KernelSet.all {
        report(kernels.name, "mask, copying", "binary", size) {
            _ = kernels.mask(destination.base, binary.base, size, key)
        }
    }
    report("memcpy", "mask, in place", "binary", size) {
        memcpy(destination.base, binary.base, size)
    }
    for kernels in KernelSet.all {
        report(kernels.name, "mask, in place", "binary", size) {
            _ = kernels.mask(destination.base, destination.base, size, key)
        }
    }
    for kind in ["ascii", "json", "text"] {
        let text = try Memory(file: "\(folder)/\(kind)-\(size)", size: size)
        for kernels in KernelSet.all {
            report(kernels.name, "validate", kind, size) {
                var state: UInt32 = 0
                precondition(kernels.validate(text.base, size, &state) < 0)
            }
            report(kernels.name, "mask and validate", kind, size) {
                var state: UInt32 = 0
                var key = key
                precondition(
                    kernels.maskValidating(destination.base, text.base, size, &key, &state) < 0
                )
            }
            report("\(kernels.name), one after the other", "mask and validate", kind, size) {
                var state: UInt32 = 0
                precondition(kernels.validate(text.base, size, &state) < 0)
                _ = kernels.mask(destination.base, text.base, size, key)
            }
        }
        report("Swift's UTF8Span", "validate", kind, size) {
            precondition(isValidByStandardLibrary(text))
        }
    }
}

/// Prints the time of a call: the best of several stretches, since what disturbs only adds.
func report(_ peer: String, _ work: String, _ kind: String, _ size: Int, _ body: () -> Void) {
    func nanoseconds(_ count: Int) -> Double {
        let start = ContinuousClock.now
        for _ in 0..<count { body() }
        return (ContinuousClock.now - start) / .nanoseconds(1)
    }
    var count = 1
    while nanoseconds(count) < 500_000 { count *= 2 }
    var best = Double.infinity
    for _ in 0..<10 { best = min(best, nanoseconds(count) / Double(count)) }
    print(
        """
        {"peer":"\(peer)","work":"\(work)","kind":"\(kind)","size":\(size),"ns":\(best)}
        """
    )
}
