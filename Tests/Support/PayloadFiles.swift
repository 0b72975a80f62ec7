import Foundation
import Synchronization
import WebSocketClient

/// Files with given contents, made once and removed when the process ends.
package final class PayloadFiles: Sendable {
    package static let shared = PayloadFiles()

    private let folder = Result { try TemporaryFolder() }
    private let paths = Locked<[[UInt8]: String]>([:])

    private init() {
        atexit { PayloadFiles.shared.remove() }
    }

    package func path(of contents: [UInt8]) throws -> String {
        try paths.withLock { paths in
            if let path = paths[contents] { return path }
            let text = String(decoding: contents, as: UTF8.self)
            let path = try folder.get().write(text, to: "payload-\(paths.count)")
            paths[contents] = path
            return path
        }
    }

    private func remove() {
        guard let path = try? folder.get().path else { return }
        try? FileManager.default.removeItem(atPath: path)
    }
}
