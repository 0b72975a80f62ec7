import Benchmark
import CWebSocketAccel
import WebSocketAccelPure

private let key: UInt32 = 0x3D21_FA37

/// Masking what is in cache, C beside Swift.
func addMasking(_ size: Int) {
    let payload = [UInt8](repeating: 7, count: size)
    add("mask in place, \(size) B", payload) { bytes, _ in
        blackHole(wsa_mask(bytes, bytes, size, key))
    } swift: { bytes, _ in
        blackHole(SwiftKernels.mask(bytes, bytes, size, key))
    }
    add("mask and copy, \(size) B", payload) { bytes, copy in
        blackHole(wsa_mask(copy, bytes, size, key))
    } swift: { bytes, copy in
        blackHole(SwiftKernels.mask(copy, bytes, size, key))
    }
}

/// Validating text that is in cache, C beside Swift.
func addText(_ language: String, _ text: [UInt8]) {
    let size = text.count
    add("validate \(language), \(size) B", text) { bytes, _ in
        var state: UInt32 = 0
        precondition(wsa_validate(bytes, size, &state) < 0)
    } swift: { bytes, _ in
        var state: UInt32 = 0
        precondition(SwiftKernels.validate(bytes, size, &state) < 0)
    }
    add("validate, mask and copy \(language), \(size) B", text) { bytes, copy in
        var (state, key) = (UInt32(0), key)
        precondition(wsa_mask_validating(copy, bytes, size, &key, &state) < 0)
    } swift: { bytes, copy in
        var (state, key) = (UInt32(0), key)
        precondition(SwiftKernels.maskValidating(copy, bytes, size, &key, &state) < 0)
    }
}

private typealias Work =
    @Sendable (_ bytes: UnsafeMutableRawPointer, _ copy: UnsafeMutableRawPointer) -> Void

private func add(_ name: String, _ text: [UInt8], c: @escaping Work, swift: @escaping Work) {
    for (kernels, work) in [("C", c), ("Swift", swift)] {
        Benchmark("\(name), \(kernels)") { benchmark in
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 64)
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 64)
            defer {
                bytes.deallocate()
                copy.deallocate()
            }
            bytes.copyBytes(from: text)
            guard let base = bytes.baseAddress, let copyBase = copy.baseAddress else { return }
            benchmark.startMeasurement()
            for _ in 0..<repetitions { work(base, copyBase) }
            benchmark.stopMeasurement()
        }
    }
}
