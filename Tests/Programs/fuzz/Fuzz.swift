import FuzzTargets
import Glibc

private enum Program {
    /// The target that `FUZZ_TARGET` names.
    static let target: FuzzTarget = {
        let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
            fatalError("FUZZ_TARGET is \"\(name)\" and not one of \(names)")
        }
        return target
    }()
}

/// libFuzzer calls this with one input after the other; if the process ends, it has found something.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ input: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    do {
        try Program.target.run(UnsafeRawBufferPointer(start: input, count: count))
    } catch {
        fatalError("\(Program.target.rawValue): \(error.description)")
    }
    return 0
}
