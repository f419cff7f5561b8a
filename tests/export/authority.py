"""A certificate authority of a test, and what a service and a Collector need of it, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import trustme

VARIABLE = "OTEL_EXPORTER_OTLP_{}"


class Authority:
    """Issues certificates for loopback into a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._issuer = trustme.CA()
        self.file = self._written("ca.pem", self._issuer.cert_pem)
        """The authority's own certificate."""
        server = self._issuer.issue_cert("127.0.0.1", "localhost")
        self.server = self._pair("server", server)
        """The Collector's certificate and key."""
        self.client = self._pair("client", self._issuer.issue_cert("service@shop"))
        """The service's certificate and key."""

    def environment(self, *, client: bool = True) -> Mapping[str, str]:
        """What a service says about TLS."""
        certificate, key = self.client
        mine = {VARIABLE.format("CLIENT_CERTIFICATE"): str(certificate), VARIABLE.format("CLIENT_KEY"): str(key)}
        return {VARIABLE.format("CERTIFICATE"): str(self.file)} | (mine if client else {})

    def _pair(self, name: str, issued: trustme.LeafCert) -> tuple[Path, Path]:
        key = self._written(f"{name}.key", issued.private_key_pem)
        return self._written(f"{name}.pem", *issued.cert_chain_pems), key

    def _written(self, name: str, *blobs: trustme.Blob) -> Path:
        file = self._folder / name
        file.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return file
