"""etcd, the API server, the controller manager and the scheduler as processes of this machine."""

from __future__ import annotations

import shutil
import ssl
import urllib.request
from pathlib import Path

from .daemons import Daemons
from .machine import NAME
from .pki import Pki
from .settings import program, say

SERVICE_RANGE = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
NODE_NAME = NAME
USERS = {
    "admin": "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "system:kube-proxy": "",
    f"system:node:{NODE_NAME}": "system:nodes",
}


class ControlPlane:
    """A Kubernetes API in `folder`. It needs no root; without a node it stores objects and runs nothing.

    `address` is where the API server listens and what its clients are told; the ports are those of the API server and
    of etcd, for clients and for peers.
    """

    def __init__(
        self, folder: Path, *, address: str = "127.0.0.1", port: int = 6443, etcd_ports: tuple[int, int] = (2379, 2380)
    ) -> None:
        self.folder = folder
        self.address = address
        self.port = port
        self.etcd_ports = etcd_ports
        self.daemons = Daemons(folder)
        self.pki = Pki(folder / "pki")

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{self.port}"

    def kubeconfig(self, user: str) -> Path:
        """Kubeconfig of one of `USERS`, named by the last part of the user's name."""
        return self.pki.folder / f"{user}.kubeconfig"

    @property
    def admin(self) -> Path:
        """Kubeconfig of a user who may do everything."""
        return self.folder / "kubeconfig"

    def start_api(self) -> None:
        """Start etcd and the API server, and wait until it is ready."""
        if not self.pki.exists():
            say("making certificates")
            names = [
                self.address,
                "127.0.0.1",
                KUBERNETES_SERVICE,
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ]
            self.pki.create(self.server, list(dict.fromkeys(names)), USERS)
            shutil.copy(self.kubeconfig("admin"), self.admin)
        files = self.pki.folder
        certificate = ("apiserver.pem", "apiserver.key")
        etcd, peer = (f"https://127.0.0.1:{port}" for port in self.etcd_ports)
        # Who may write to etcd may do everything on this machine: it takes clients with our certificates alone.
        self.daemons.start(
            "etcd",
            program("etcd"),
            *("--data-dir", self.folder / "etcd"),
            *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}"),
            *("--client-cert-auth", "--trusted-ca-file", self.pki.authority),
            *("--peer-client-cert-auth", "--peer-trusted-ca-file", self.pki.authority),
            *(f"--{kind}-file={files / name}" for kind, name in zip(("cert", "key"), certificate, strict=True)),
            *(f"--peer-{kind}-file={files / name}" for kind, name in zip(("cert", "key"), certificate, strict=True)),
            "--unsafe-no-fsync",  # what is lost with the machine's power is a test's
            ready=lambda: answers(f"{etcd}/health", self._tls()),
        )
        self.daemons.start(
            "kube-apiserver",
            program("kube-apiserver"),
            *("--etcd-servers", etcd, "--etcd-cafile", self.pki.authority),
            *("--etcd-certfile", files / "admin.pem", "--etcd-keyfile", files / "admin.key"),
            *("--bind-address", self.address, "--secure-port", str(self.port), "--advertise-address", self.address),
            *("--service-cluster-ip-range", SERVICE_RANGE),
            *("--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction"),
            *("--client-ca-file", self.pki.authority),
            *("--tls-cert-file", files / "apiserver.pem", "--tls-private-key-file", files / "apiserver.key"),
            *("--kubelet-client-certificate", files / "admin.pem", "--kubelet-client-key", files / "admin.key"),
            "--kubelet-preferred-address-types=InternalIP",  # the node's name is no host's name
            *("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
            *("--service-account-key-file", self.pki.service_account_key),
            *("--service-account-signing-key-file", self.pki.service_account_key),
            "--allow-privileged",
            ready=lambda: answers(f"{self.server}/readyz", self._tls()),
        )

    def start_controllers(self, *, pod_range: str) -> None:
        """Start the controller manager and the scheduler."""
        self.start_manager(10257, "--cluster-cidr", pod_range)
        self._start_controller("kube-scheduler", 10259)

    def start_manager(self, port: int, *more: str) -> None:
        """Start the controller manager alone, at another port than that of a cluster beside it."""
        self._start_controller(
            "kube-controller-manager",
            port,
            *("--service-account-private-key-file", self.pki.service_account_key),
            *("--root-ca-file", self.pki.authority, "--use-service-account-credentials"),
            *("--secure-port", str(port), *more),
        )

    def _start_controller(self, name: str, port: int, *more: str | Path) -> None:
        """`port` is where it says that it is well."""
        files, kubeconfig = self.pki.folder, self.kubeconfig(name)
        self.daemons.start(
            name,
            program(name),
            *("--kubeconfig", kubeconfig, "--authentication-kubeconfig", kubeconfig),
            *("--authorization-kubeconfig", kubeconfig, "--leader-elect=false"),
            *("--bind-address", "127.0.0.1", *more),
            *("--tls-cert-file", files / "apiserver.pem", "--tls-private-key-file", files / "apiserver.key"),
            ready=lambda: answers(f"https://127.0.0.1:{port}/healthz", self._tls()),
        )

    def stop(self) -> None:
        """End whatever of the control plane runs."""
        for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
            self.daemons.stop(name)

    def _tls(self) -> ssl.SSLContext:
        """As the admin, to servers of this cluster and no others."""
        context = ssl.create_default_context(cafile=str(self.pki.authority))
        context.load_cert_chain(self.pki.folder / "admin.pem", self.pki.folder / "admin.key")
        return context


def answers(url: str, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a server of this machine answers with 200. Raises OSError where there is none."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if tls:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    with urllib.request.build_opener(*handlers).open(url, timeout=2) as answer:
        return bool(answer.status == 200)
