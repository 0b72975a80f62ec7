import Glibc
import Reference

/// simdutf, if `WSBENCH_SIMDUTF` names its shared library, built with its C interface.
///
/// The library picks an implementation once; so each gets a copy of the library of its own.
func simdutfContenders() -> [String: Contender] {
    guard let path = getenv("WSBENCH_SIMDUTF").map({ String(cString: $0) }) else { return [:] }
    typealias Validate = @convention(c) (UnsafePointer<CChar>, Int) -> Bool
    var contenders: [String: Contender] = [:]
    for implementation in ["icelake", "haswell", "arm64"] where runs_simdutf(implementation) {
        setenv("SIMDUTF_FORCE_IMPLEMENTATION", implementation, 1)
        guard let symbol = load_separately(path, "simdutf_validate_utf8")
        else { continue }
        let validate = unsafeBitCast(symbol, to: Validate.self)
        guard validate("x", 1) else { continue }  // The first call picks.
        contenders["validate simdutf-\(implementation)"] = { buffers, count, times in
            let bytes = buffers.source.assumingMemoryBound(to: CChar.self)
            for _ in 0..<times { precondition(validate(bytes, count)) }
        }
    }
    return contenders
}
