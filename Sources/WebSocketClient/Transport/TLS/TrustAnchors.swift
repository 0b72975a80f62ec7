import CWebSocketOpenSSL

/// Which authorities are trusted.
enum TrustAnchors: Hashable {
    case system(SystemAuthorities)
    case files(file: String?, directory: String?)

    /// Those of the options, or of the environment, or of the system.
    init(_ options: TLSOptions) throws(TransportError) {
        let (file, directory) = (
            options.certificateAuthorityFile, options.certificateAuthorityDirectory
        )
        guard file == nil, directory == nil else {
            if let directory, FileStamp(path: directory)?.isDirectory != true {
                throw .tls(TLSError(.configuration, reason: "\(directory) is not a directory"))
            }
            self = .files(file: file, directory: directory)
            return
        }
        let variable = "WEBSOCKET_CLIENT_CA_BUNDLE"
        guard let path = SystemCalls.environmentVariable(variable), !path.isEmpty else {
            self = .system(SystemAuthorities())
            return
        }
        guard let stamp = FileStamp(path: path) else {
            // Don't fall back to the system's authorities: the variable was meant to trust fewer.
            throw .tls(
                TLSError(.configuration, reason: "\(variable) names \(path), which isn't there")
            )
        }
        self =
            stamp.isDirectory
            ? .files(file: nil, directory: path) : .files(file: path, directory: nil)
    }

    /// The files and directories that decide who is trusted.
    var paths: [String] {
        switch self {
        case .system(let authorities): [authorities.file] + authorities.directories
        case .files(let file, let directory): [file, directory].compactMap(\.self)
        }
    }
}

/// Where OpenSSL looks for the system's authorities.
struct SystemAuthorities: Hashable {
    let file: String
    let directories: [String]

    /// The places that the environment names (`SSL_CERT_FILE`, `SSL_CERT_DIR`), or that OpenSSL was
    /// built with.
    init() {
        func path(
            _ variable: UnsafePointer<CChar>?,
            _ standard: UnsafePointer<CChar>?
        ) -> String {
            variable.flatMap { SystemCalls.environmentVariable(String(cString: $0)) }
                ?? standard.map { String(cString: $0) } ?? ""
        }
        file = path(X509_get_default_cert_file_env(), X509_get_default_cert_file())
        directories = path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())
            .split(separator: ":").map(String.init)
    }

    /// Whether all of these places are empty.
    var areMissing: Bool {
        FileStamp(path: file)?.isEmpty ?? true
            && directories.allSatisfy { SystemCalls.isDirectoryEmpty($0) }
    }
}
