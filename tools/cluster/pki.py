"""Certificates and kubeconfigs of the bare cluster. They are worth nothing outside it, and go with it."""

from __future__ import annotations

from pathlib import Path

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class Pki:
    """A certificate authority in `folder`, and what it has signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = folder / "ca.pem"
        self.service_account_key = folder / "service-account.key"

    def exists(self) -> bool:
        """Whether everything is there; a half-written folder counts as none."""
        return (self.folder / "complete").exists()

    def create(self, server: str, server_names: list[str], users: dict[str, str]) -> None:
        """Write the authority, the API server's certificate, and one kubeconfig for each user.

        `server` is the API server's URL, `server_names` its host names and addresses; `users` maps a user name to its
        group (may be empty). The kubeconfig of a user is `<the last part of the name>.kubeconfig`.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert(*server_names, common_name="kube-apiserver")
        certificate.private_key_pem.write_to_path(self.folder / "apiserver.key")
        certificate.cert_chain_pems[0].write_to_path(self.folder / "apiserver.pem")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.service_account_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        for user, group in users.items():
            self._user(authority, user, group, server)
        (self.folder / "complete").touch()

    def _user(self, authority: trustme.CA, user: str, group: str, server: str) -> None:
        # An e-mail address is a name that is never a server's; Kubernetes reads only the common name and organisation.
        certificate = authority.issue_cert("user@cluster.local", common_name=user, organization_name=group or user)
        name = user.split(":")[-1]
        certificate.private_key_pem.write_to_path(self.folder / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(self.folder / f"{name}.pem")
        entry = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "ray-serve-llm",
            "contexts": [{"name": "ray-serve-llm", "context": {"cluster": "ray-serve-llm", "user": name}}],
            "clusters": [
                {"name": "ray-serve-llm", "cluster": {"server": server, "certificate-authority": str(self.authority)}}
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate": str(self.folder / f"{name}.pem"),
                        "client-key": str(self.folder / f"{name}.key"),
                    },
                }
            ],
        }
        target = self.folder / f"{name}.kubeconfig"
        target.write_text(yaml.safe_dump(entry))
        target.chmod(0o600)
