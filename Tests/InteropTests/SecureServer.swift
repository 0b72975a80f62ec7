import TestSupport
import WebSocketClient

/// nginx, which speaks TLS in front of the counterparts, each under a path of its own.
enum SecureServer {
    private static let server = Result {
        let identity = try Certificates.shared.get().server
        let backends = try Counterpart.allCases.map { counterpart in
            """
            location /\(counterpart.rawValue)/ { proxy_pass http://\(try counterpart.authority)/; }
            """
        }
        let plain = try Counterpart.websockets.url("/headers")
        return try ServerProcess("nginx") { port, folder in
            let configuration = try folder.write(
                """
                daemon off;
                master_process off;
                pid \(folder.path)/pid;
                error_log stderr;
                events { worker_connections 256; }
                http {
                    access_log off;
                    client_body_temp_path \(folder.path)/body;
                    proxy_temp_path \(folder.path)/proxy;
                    fastcgi_temp_path \(folder.path)/fastcgi;
                    uwsgi_temp_path \(folder.path)/uwsgi;
                    scgi_temp_path \(folder.path)/scgi;
                    server {
                        listen 127.0.0.1:\(port) ssl;
                        ssl_certificate \(identity.certificate);
                        ssl_certificate_key \(identity.key);
                        ssl_protocols TLSv1.2 TLSv1.3;
                        proxy_http_version 1.1;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection "upgrade";
                        proxy_set_header Host $http_host;
                        \(backends.joined(separator: "\n"))
                        location /to-plain { return 302 \(plain); }
                        location /dead { proxy_pass http://127.0.0.1:1; }
                    }
                }

                """,
                to: "nginx.conf"
            )
            return ["-c", configuration, "-e", "stderr"]
        }
    }

    static func url(_ path: String) throws -> String {
        "wss://localhost:\(try server.get().port)\(path)"
    }

    static func url(of counterpart: Counterpart, _ path: String = "/echo") throws -> String {
        try url("/\(counterpart.rawValue)\(path)")
    }

    /// Options that trust the server.
    static var options: ConnectOptions {
        get throws {
            var options = ConnectOptions.interop
            options.tls.certificateAuthorityFile =
                try Certificates.shared.get().authority.certificate
            return options
        }
    }
}
