// Measures kernels, one line of input at a time, for kernels.py:
//
//   contenders                                          "KERNEL CONTENDER" lines, then an empty one
//   KERNEL CONTENDER FILE SIZE MILLISECONDS             nanoseconds a call
//
// peer.mjs and peer.py speak the same.

import Glibc

func nanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Runs for about the time given and returns the nanoseconds a call, the median of equal batches.
func measure(milliseconds: Int, _ body: (_ iterations: Int) -> Void) -> Double {
    let deadline = nanoseconds() + Int64(milliseconds) * 1_000_000
    var iterations = 1
    while true {
        let start = nanoseconds()
        body(iterations)
        if nanoseconds() - start > 50_000 { break }
        iterations *= 2
    }
    var batches: [Double] = []
    repeat {
        let start = nanoseconds()
        body(iterations)
        batches.append(Double(nanoseconds() - start) / Double(iterations))
    } while nanoseconds() < deadline
    batches.sort()
    return batches[batches.count / 2]
}

let contenders = makeContenders()
let buffers = Buffers()
while let line = readLine() {
    let words = line.split(separator: " ").map(String.init)
    if words == ["contenders"] {
        print(contenders.keys.sorted().joined(separator: "\n"), terminator: "\n\n")
    } else if words.count == 5, let contender = contenders["\(words[0]) \(words[1])"],
        let size = Int(words[3]), let milliseconds = Int(words[4]),
        let count = buffers.load(words[2], size: words[0] == "pieces" ? Buffers.capacity : size)
    {
        let pieceOrWhole = words[0] == "pieces" ? size : count
        print(measure(milliseconds: milliseconds) { contender(buffers, pieceOrWhole, $0) })
    } else {
        print("not understood: \(line)")
    }
    fflush(nil)
}
