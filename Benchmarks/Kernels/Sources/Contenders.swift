import CWebSocketAccel
import Glibc
import Reference
import WebSocketAccelPure

/// One kernel of one contender: does the work on `count` bytes, `iterations` times.
typealias Contender = (_ buffers: Buffers, _ count: Int, _ iterations: Int) -> Void

private let key: UInt32 = 0x3D21_FA37

/// Keeps what a loop computes, so that it has to be computed.
@inline(never)
func keep<Value>(_ value: Value) {}

/// All that this program can measure, by kernel and contender.
///
/// `mask` and `mask-header` copy, the latter to where a frame's header leaves the payload: 14 bytes off
/// the page. `validate` takes one whole piece, `pieces` a megabyte in pieces of `count` bytes.
func makeContenders() -> [String: Contender] {
    var contenders = swiftContenders()
    for level in [WSA_SCALAR, WSA_AVX2, WSA_AVX512, WSA_NEON] {
        guard let kernels = wsa_kernels_at(level)?.pointee else { continue }
        contenders.merge(cContenders(String(cString: kernels.name), kernels)) { $1 }
    }
    contenders.merge(dispatchedContenders()) { $1 }
    contenders.merge(otherContenders()) { $1 }
    contenders.merge(simdutfContenders()) { $1 }
    return contenders
}

private func cContenders(_ name: String, _ kernels: wsa_kernels) -> [String: Contender] {
    func mask(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int, _ times: Int) {
        var key = key
        for _ in 0..<times { key = kernels.mask(to, from, count, key) }
        keep(key)
    }
    func validate(_ bytes: UnsafeRawPointer, _ count: Int) {
        var state: UInt32 = 0
        precondition(kernels.validate(bytes, count, &state) < 0 && state == 0)
    }
    return [
        "mask \(name)": { mask($0.destination, $0.source, $1, $2) },
        "mask-header \(name)": { mask($0.destination + 14, $0.source, $1, $2) },
        "mask-in-place \(name)": { mask($0.source, $0.source, $1, $2) },
        "validate \(name)": { buffers, count, times in
            for _ in 0..<times { validate(buffers.source, count) }
        },
        "pieces \(name)": { buffers, count, times in
            forEachPiece(count, times) { offset, size, state in
                precondition(kernels.validate(buffers.source + offset, size, &state) < 0)
            }
        },
        "fused \(name)": { buffers, count, times in
            for _ in 0..<times {
                var key = key
                var state: UInt32 = 0
                let failure =
                    kernels.mask_validating(
                        buffers.destination,
                        buffers.source,
                        count,
                        &key,
                        &state
                    )
                precondition(failure < 0 && state == 0)
            }
        },
        "fused \(name)-separate": { buffers, count, times in
            for _ in 0..<times {
                keep(kernels.mask(buffers.destination, buffers.source, count, key))
                validate(buffers.source, count)
            }
        },
    ]
}

/// What callers run: the best level, with the dispatch in front of it.
private func dispatchedContenders() -> [String: Contender] {
    func mask(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int, _ times: Int) {
        var key = key
        for _ in 0..<times { key = wsa_mask(to, from, count, key) }
        keep(key)
    }
    return [
        "mask c": { mask($0.destination, $0.source, $1, $2) },
        "mask-header c": { mask($0.destination + 14, $0.source, $1, $2) },
        "mask-in-place c": { mask($0.source, $0.source, $1, $2) },
        "validate c": { buffers, count, times in
            for _ in 0..<times {
                var state: UInt32 = 0
                precondition(wsa_validate(buffers.source, count, &state) < 0 && state == 0)
            }
        },
        "pieces c": { buffers, count, times in
            forEachPiece(count, times) { offset, size, state in
                precondition(wsa_validate(buffers.source + offset, size, &state) < 0)
            }
        },
        "fused c": { buffers, count, times in
            for _ in 0..<times {
                var key = key
                var state: UInt32 = 0
                let failure =
                    wsa_mask_validating(buffers.destination, buffers.source, count, &key, &state)
                precondition(failure < 0 && state == 0)
            }
        },
    ]
}

private func swiftContenders() -> [String: Contender] {
    func mask(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int, _ times: Int) {
        var key = key
        for _ in 0..<times { key = SwiftKernels.mask(to, from, count, key) }
        keep(key)
    }
    func validate(_ bytes: UnsafeRawPointer, _ count: Int) {
        var state: UInt32 = 0
        precondition(SwiftKernels.validate(bytes, count, &state) < 0 && state == 0)
    }
    return [
        "mask swift": { mask($0.destination, $0.source, $1, $2) },
        "mask-header swift": { mask($0.destination + 14, $0.source, $1, $2) },
        "mask-in-place swift": { mask($0.source, $0.source, $1, $2) },
        "validate swift": { buffers, count, times in
            for _ in 0..<times { validate(buffers.source, count) }
        },
        "pieces swift": { buffers, count, times in
            forEachPiece(count, times) { offset, size, state in
                precondition(SwiftKernels.validate(buffers.source + offset, size, &state) < 0)
            }
        },
        "fused swift": { buffers, count, times in
            for _ in 0..<times {
                var key = key
                var state: UInt32 = 0
                let failure = SwiftKernels.maskValidating(
                    buffers.destination,
                    buffers.source,
                    count,
                    &key,
                    &state
                )
                precondition(failure < 0 && state == 0)
            }
        },
        "fused swift-separate": { buffers, count, times in
            for _ in 0..<times {
                keep(SwiftKernels.mask(buffers.destination, buffers.source, count, key))
                validate(buffers.source, count)
            }
        },
    ]
}

/// What else there is: the C library's copy, wsaccel's loops in C, and the standard library's check.
private func otherContenders() -> [String: Contender] {
    func copy(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int, _ times: Int) {
        for _ in 0..<times { keep(memcpy(to, from, count)) }
    }
    let memcpyToDestination: Contender = { copy($0.destination, $0.source, $1, $2) }
    return [
        "mask memcpy": memcpyToDestination,
        "mask-header memcpy": { copy($0.destination + 14, $0.source, $1, $2) },
        "mask-in-place memcpy": memcpyToDestination,
        "fused memcpy": memcpyToDestination,
        "mask byte-loop": { buffers, count, times in
            var masker = reference_masker(pointer: 0, mask: (0x37, 0xFA, 0x21, 0x3D))
            let to = buffers.destination.assumingMemoryBound(to: UInt8.self)
            let from = buffers.source.assumingMemoryBound(to: UInt8.self)
            for _ in 0..<times { reference_mask(&masker, to, from, 1, count) }
        },
        "validate table-automaton": { buffers, count, times in
            let bytes = buffers.source.assumingMemoryBound(to: UInt8.self)
            for _ in 0..<times { precondition(reference_validate(bytes, count) == 0) }
        },
        "validate UTF8Span": { buffers, count, times in
            let bytes = buffers.source.assumingMemoryBound(to: UInt8.self)
            for _ in 0..<times {
                let span = UnsafeBufferPointer(start: bytes, count: count).span
                precondition((try? UTF8Span(validating: span)) != nil)
            }
        },
    ]
}

/// A megabyte in pieces, with the state carried along.
@inline(__always)
private func forEachPiece(
    _ count: Int,
    _ times: Int,
    _ body: (_ offset: Int, _ size: Int, _ state: inout UInt32) -> Void
) {
    var state: UInt32 = 0
    var offset = 0
    for _ in 0..<times {
        if offset + count > Buffers.capacity {
            offset = 0
            state = 0
        }
        body(offset, count, &state)
        offset += count
    }
}
