import Glibc

/// Calls fork(2), which Swift hides. The child has only this thread: anything that waits for another one, such
/// as a lock held elsewhere, would wait forever.
///
/// - Returns: 0 in the child; in the parent, the child's number.
/// - Throws: ``SupportError`` if there can be no child.
package func forkProcess() throws -> Int32 {
    guard let symbol = dlsym(nil, "fork") else { throw SupportError("the C library has no fork") }
    let child = unsafeBitCast(symbol, to: (@convention(c) () -> pid_t).self)()
    guard child >= 0 else { throw SupportError("fork: \(String(cString: strerror(errno)))") }
    return child
}
