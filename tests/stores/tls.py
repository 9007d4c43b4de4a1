"""Speaks TLS in front of a PostgreSQL server that has none, with a certificate made for the test."""

import contextlib
import select
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
_SSL_REQUEST = struct.pack("!II", 8, 80877103)


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate for a host, which vouches for itself.

    Args:
        folder: Where to write it.
        host: The host's name.

    Returns:
        The files of the certificate and of its key.
    """
    folder.mkdir()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


class TlsFront:
    """Take TLS connections only, and hand their bytes on to a server; counts them in `served`."""

    def __init__(self, certificate: Path, key: Path, server_port: int) -> None:
        self.served = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if client.recv(8, socket.MSG_WAITALL) != _SSL_REQUEST:
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as secured,
                socket.create_connection(("127.0.0.1", self._server_port)) as server,
            ):
                self.served += 1
                self._pump(secured, server)

    def _pump(self, secured: ssl.SSLSocket, server: socket.socket) -> None:
        """Hand bytes on in both directions by turns: one TLS connection may not be used by two threads at once."""
        while True:
            # What TLS has taken in already, the system no longer calls readable.
            ready = [secured] if secured.pending() else select.select([secured, server], [], [])[0]
            for source in ready:
                chunk = source.recv(1 << 16)
                if not chunk:
                    return
                (server if source is secured else secured).sendall(chunk)
