import Synchronization
import WebSocketProtocol

// Corking: messages stay in the outbox's buffer until there is a reason to write it; see `Cork` and
// ``ConnectOptions/corking``.
//
// 1. A message is corked only behind corked messages: never behind bytes that the stream didn't take,
//    frames in the queue, or a reservation. Everything else is sent as without corking, after the
//    corked messages; so the order is that of the turns.
// 2. Whoever leaves the turn after corking looks at the queue and at `isFlushWanted`, which others set before
//    they look at the turn: the rule of `leave`.
// 3. `heldBytes` doesn't count corked messages, only bytes that wait for room in the stream.
extension Sender {
    /// Accepts a message into the cork; then the turn has to be left by `leaveCorked`. False if it can't be
    /// corked: then nothing has changed. If it throws, it has left the turn.
    ///
    /// If the buffer is full, it is written first, as the deadline allows.
    func corkInTurn(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) -> Bool {
        guard mayCork(frame) else { return false }
        do throws(SendFailure) {
            let hasRoom = fits(frame, behind: outbox.value.encoder.count)
            let isWhole = try hasRoom ? outbox.value.encoder.encodeWhole(frame) : false
            if !isWhole {
                guard frame.payload.count <= Self.maximumCorkedPayload else { return false }
                do throws(TransportError) {
                    try flush(&deadline)
                } catch {
                    throw .transport(error, isAccepted: false)
                }
                guard try outbox.value.encoder.encodeWhole(frame) else { return false }
            }
        } catch {
            leave(&deadline)
            throw error
        }
        if Tracing.isEnabled { log.sent(frame) }
        return true
    }

    /// A larger message doesn't fit into a buffer in use, or gains nothing from corking.
    private static let maximumCorkedPayload = 64 << 10

    private func mayCork(_ frame: OutgoingFrame) -> Bool {
        guard case .none = outbox.value.reservation else { return false }
        return !frame.opcode.isControl && frame.payload.count <= Self.maximumCorkedPayload
            && fits(frame, behind: 0)
            && !outbox.value.isShut
            && heldBytes.load(ordering: .relaxed) == 0
            && queuedBytes.load(ordering: .relaxed) == 0
    }

    /// Leaves the turn after `corkInTurn`. Every corked message passes here, so `cork` is used where it is:
    /// binding it to a name would count a reference each time.
    func leaveCorked(_ deadline: inout LazyDeadline) {
        let addition = cork?.add()
        if case .due? = addition { return leave(&deadline) }
        turn.leave()
        if case .first? = addition, cork?.setTimer() == false { return uncork() }
        guard
            queuedBytes.load(ordering: .sequentiallyConsistent) > 0
                || cork?.isFlushWanted.load(ordering: .sequentiallyConsistent) == true
        else { return }
        flushWithoutWaiting()
    }

    /// Whether all accepted bytes that aren't written are corked, and none waits for room.
    var isOnlyCorked: Bool { cork != nil && heldBytes.load(ordering: .relaxed) == 0 }

    /// Has the corked messages written, as far as possible at once: for callers about to wait for the
    /// peer.
    @inline(__always)
    func uncork() {
        guard let cork, cork.isHolding else { return }
        cork.isFlushWanted.store(true, ordering: .sequentiallyConsistent)
        flushWithoutWaiting()
    }

    /// The reactor's part: true if something is left, as the stream is full.
    func writeCorked() -> Bool {
        guard let cork else { return false }
        cork.isFlushWanted.store(true, ordering: .sequentiallyConsistent)
        if turn.tryTake() {
            var now = Self.portion
            leave(&now)
        }
        return needsWriting
    }

    /// How many accepted messages haven't gone out; for a connection that has ended.
    func countUnsentMessages() -> Int {
        if let cork, !cork.isSettled.load(ordering: .acquiring),
            turn.take(until: .never, evenIfCancelled: true) == .taken
        {
            _ = fail(.aborted)
            cork.isSettled.store(true, ordering: .releasing)
            var now = LazyDeadline.immediate
            leave(&now)
        }
        return unsentMessages
    }
}
