/// Whether to compress a message, if permessage-deflate was agreed; otherwise none is compressed.
///
/// RFC 7692 §6 leaves that to the sender of each message.
public enum MessageCompression: Sendable, Hashable, CaseIterable {
    /// From ``DeflateOptions/threshold`` on.
    case automatic
    /// Whatever its size.
    case always
    /// Never: for data that is compressed already, or that contains a secret beside an attacker's text.
    case never
}
