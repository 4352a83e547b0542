"""The one node of the bare cluster: containerd, kubelet, kube-proxy and CoreDNS as processes of this machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from generator.errors import UserError

from . import machine, packages
from .archives import write_archive
from .control_plane import NODE_NAME, ControlPlane, answers
from .machine import ADDRESS, Machine
from .settings import program, run

POD_RANGE = "10.244.0.0/24"
DNS_READY = "127.0.0.1:8181"
PROXY_HEALTH = "127.0.0.1:10256"
PAUSE_IMAGE = "localhost/pause:1"
PROGRAMS = ("containerd", "ctr", "host-local", "ip", "nft", "ptp", "runc")
"""What the operating system brings."""


class Node:
    """The node of a control plane. What it writes lies in the control plane's folder, but for mounts and cgroups."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.folder = control_plane.folder
        self.daemons = control_plane.daemons
        self.socket = self.folder / "containerd" / "containerd.sock"

    # -- up ------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the node's processes and wait until the API server calls it ready.

        Raises UserError on a machine that is someone else's Kubernetes node.
        """
        if not self.daemons.running("kubelet") and machine.kubelets():
            raise UserError(
                "a kubelet runs on this machine already", fix="Set KUBECONFIG to its cluster, or stop it first."
            )
        self._start_containerd()
        self._start_kubelet()
        self._start_kube_proxy()
        self._start_coredns()

    def _start_containerd(self) -> None:
        folder = self.folder / "containerd"
        folder.mkdir(exist_ok=True)
        (self.folder / "cni").mkdir(exist_ok=True)
        network = {
            "cniVersion": "0.4.0",
            "name": NODE_NAME,
            "plugins": [
                {
                    # ptp routes every packet through the machine, so that answers to a Service come back the same way;
                    # on a bridge that needs a kernel module which not every machine has.
                    "type": "ptp",
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(self.folder / "cni" / "leases"),
                        "ranges": [[{"subnet": POD_RANGE}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
        (self.folder / "cni" / "10-ptp.conflist").write_text(json.dumps(network))
        cri = "io.containerd.grpc.v1.cri"
        (folder / "config.toml").write_text(f"""\
version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
address = "{self.socket}"
[plugins."{cri}"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."{cri}".containerd]
snapshotter = "overlayfs"
[plugins."{cri}".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."{cri}".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."{cri}".cni]
bin_dir = "{Path(packages.path("ptp")).parent}"
conf_dir = "{self.folder / "cni"}"
""")
        self.daemons.start(
            "containerd",
            *(packages.path("containerd"), "--config", folder / "config.toml"),
            ready=lambda: bool(self.ctr("version")),
        )
        if PAUSE_IMAGE not in self.images():
            archive = self.folder / "pause.tar"
            write_archive(archive, PAUSE_IMAGE, Path(program("pause")), as_path="/pause")
            self.load(archive)
            archive.unlink()

    def _start_kubelet(self) -> None:
        folder = self.folder / "kubelet"
        folder.mkdir(exist_ok=True)
        configuration = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(self.control_plane.pki.authority)},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{machine.NAME}",
            "clusterDNS": [ADDRESS],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "enforceNodeAllocatable": [],
            # The disk is the machine's; a test cluster must not delete its images for others' files.
            "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "makeIPTablesUtilChains": False,  # they would stay, and kube-proxy has its own table
            "podLogsDir": str(self.folder / "pods"),
            "resolvConf": "",
            "volumePluginDir": str(folder / "volume-plugins"),
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(configuration))
        self.daemons.start(
            "kubelet",
            program("kubelet"),
            *("--config", folder / "config.yaml", "--root-dir", folder, "--cert-dir", folder / "pki"),
            *("--kubeconfig", self.control_plane.kubeconfig(NODE_NAME)),
            *("--hostname-override", NODE_NAME, "--node-ip", ADDRESS),
            ready=self._node_ready,
            seconds=120,
        )

    def restart_kubelet(self) -> None:
        """Stop the kubelet and start it again; the pods run on meanwhile."""
        self.daemons.stop("kubelet")
        self._start_kubelet()

    def _start_kube_proxy(self) -> None:
        folder = self.folder / "kube-proxy"
        folder.mkdir(exist_ok=True)
        configuration = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clusterCIDR": POD_RANGE,
            "bindAddress": ADDRESS,
            "healthzBindAddress": PROXY_HEALTH,
            "metricsBindAddress": "127.0.0.1:10249",
            "hostnameOverride": NODE_NAME,
            "clientConnection": {"kubeconfig": str(self.control_plane.kubeconfig("kube-proxy"))},
            "conntrack": {"maxPerCore": 0, "min": 0},
        }
        text = yaml.safe_dump(configuration)
        if not (folder / "config.yaml").exists() or (folder / "config.yaml").read_text() != text:
            (folder / "config.yaml").write_text(text)  # kube-proxy stops when its file is written, be it the same
        self.daemons.start(
            "kube-proxy",
            *(program("kube-proxy"), "--config", folder / "config.yaml"),
            ready=lambda: answers(f"http://{PROXY_HEALTH}/healthz"),
        )

    def _start_coredns(self) -> None:
        folder = self.folder / "coredns"
        folder.mkdir(exist_ok=True)
        (folder / "Corefile").write_text(f"""\
.:53 {{
    bind {ADDRESS}
    errors
    ready {DNS_READY}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {self.control_plane.admin}
    }}
    cache 5
}}
""")
        self.daemons.start(
            "coredns",
            *(program("coredns"), "-conf", folder / "Corefile"),
            ready=lambda: answers(f"http://{DNS_READY}/ready"),
        )

    def _node_ready(self) -> bool:
        condition = "{.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "node", NODE_NAME, "-o", f"jsonpath={condition}") == "True"

    # -- images and commands -------------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str | Path, input: str | None = None) -> str:
        """Run kubectl as the cluster's admin."""
        return run(program("kubectl"), "--kubeconfig", self.control_plane.admin, *arguments, input=input)

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's own client in Kubernetes' namespace."""
        return run(*self._ctr(*arguments))

    def _ctr(self, *arguments: str | Path) -> list[str | Path]:
        return [packages.path("ctr"), "--address", self.socket, "--namespace", "k8s.io", *arguments]

    def images(self) -> list[str]:
        """Names of the images that the node has."""
        return self.ctr("images", "ls", "-q").split()

    def load(self, archive: Path) -> None:
        """Import an image archive."""
        self.ctr("images", "import", "--snapshotter", "overlayfs", archive)

    # -- down ----------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the node's processes and containers, and take back what it changed on the machine. Raises UserError."""
        for name in ("coredns", "kube-proxy", "kubelet"):
            self.daemons.stop(name)
        machine.kill_all(machine.processes_of_pods)
        if self.daemons.running("containerd"):
            for task in self.ctr("tasks", "ls", "-q").split():
                subprocess.run(self._ctr("tasks", "delete", "--force", task), capture_output=True)
        self.daemons.stop("containerd")
        # A shim outlives containerd; its command line names this cluster's socket, which no one else has.
        machine.kill_all(lambda: machine.processes_naming(str(self.socket)))
        machine.unmount_below(self.folder)
        if (self.folder / "kube-proxy").exists():
            for family in ("ip", "ip6"):
                subprocess.run([packages.path("nft"), "delete", "table", family, "kube-proxy"], capture_output=True)
        machine.remove_log_links(self.folder)
        Machine(self.folder).restore()
