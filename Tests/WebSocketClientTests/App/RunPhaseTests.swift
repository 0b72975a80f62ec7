import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("The phases of an app's run")
struct RunPhaseTests {
    private let attempt = OpeningAttempt(WebSocket(), to: "ws://127.0.0.1:1/")
    private let request = CloseRequest(payload: ClosePayload(code: .normalClosure))

    @Test(
        "A request to close while the app connects is kept, whether the attempt succeeds or fails"
    )
    func closeWhileConnecting() {
        var step: Bool
        var phase = RunPhase.waiting(until: .now)
        step = phase.connect(attempt)
        #expect(step)
        #expect(phase.socket === attempt.socket)
        step = phase.requestClose(request)
        #expect(step)
        #expect(phase.socket === attempt.socket)
        // Neither another attempt nor a wait or a second request replaces it.
        step = phase.connect(attempt)
        #expect(!step)
        step = phase.wait(until: .now)
        #expect(!step)
        step = phase.requestClose(request)
        #expect(!step)
        guard case .closeRequested = phase else { Issue.record("\(phase)"); return }
        step = phase.drop()
        #expect(!step)
        guard case .ended = phase else { Issue.record("\(phase)"); return }
        step = phase.requestClose(request)
        #expect(!step)
    }

    @Test("A request to close between attempts ends the run")
    func closeWhileWaiting() {
        var step: Bool
        var phase = RunPhase.waiting(until: .never)
        step = phase.requestClose(request)
        #expect(step)
        step = phase.connect(attempt)
        #expect(!step)
        step = phase.obey()
        #expect(step)
        guard case .ended = phase else { Issue.record("\(phase)"); return }
    }

    @Test("After a drop the run waits for its next attempt, or ends if there is none")
    func drop() {
        var step: Bool
        var phase = RunPhase.connecting(attempt)
        step = phase.drop()
        #expect(step)
        #expect(phase.socket == nil)
        var last = phase
        step = phase.wait(until: .now)
        #expect(step)
        step = phase.connect(attempt)
        #expect(step)
        step = last.wait(until: nil)
        #expect(step)
        guard case .ended = last else { Issue.record("\(last)"); return }
    }
}
