/// Whether to compress a message, if permessage-deflate was agreed; otherwise none is compressed.
///
/// RFC 7692 §6 leaves that to the sender of each message.
public enum MessageCompression: Sendable, Hashable, CaseIterable {
    /// From ``DeflateOptions/threshold`` on, unless its bytes look random, as those of images, archives
    /// and encrypted data do. That is told from 64 of them.
    case automatic
    /// Whatever its size and content: for what only looks random, such as the same image again and again.
    case always
    /// Never: for data that is compressed already, or that contains a secret beside an attacker's text.
    case never
}
