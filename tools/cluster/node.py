"""The one node of the bare cluster: containerd, kubelet, kube-proxy and CoreDNS as processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from . import packages
from .archives import write_archive
from .control_plane import NODE_NAME, ControlPlane
from .settings import program, run

BRIDGE = "ray-serve-llm"
ADDRESS = "10.245.0.1"
"""The machine's address for the cluster, on a bridge without ports: it is there on every machine, and on no network."""
POD_RANGE = "10.244.0.0/24"
PAUSE_IMAGE = "localhost/pause:1"
CGROUP = "ray-serve-llm"
CNI_RESULTS = Path("/var/lib/cni/results")
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


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

    def prepare_network(self) -> None:
        """Give the machine the cluster's address, and let it forward between pods."""
        ip = packages.path("ip")
        if not (Path("/sys/class/net") / BRIDGE).exists():
            run(ip, "link", "add", BRIDGE, "type", "bridge")
            run(ip, "address", "add", f"{ADDRESS}/32", "dev", BRIDGE)
            run(ip, "link", "set", BRIDGE, "up")
        before = self.folder / "ip_forward"
        if not before.exists():
            before.write_text(IP_FORWARD.read_text())
        IP_FORWARD.write_text("1")

    def start(self) -> None:
        """Start the node's processes and wait until the API server calls it ready."""
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
        for controller in _cgroup_roots():
            (controller / CGROUP).mkdir(exist_ok=True)
            if (controller / "cpuset.cpus").exists():  # cgroup v1: a new cpuset is empty, and nothing can run in it
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (controller / CGROUP / name).write_text((controller / name).read_text())
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
            "cgroupRoot": f"/{CGROUP}",
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
            "healthzBindAddress": "127.0.0.1:10256",
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
            ready=lambda: "kube-proxy" in run(packages.path("nft"), "list", "tables"),
        )

    def _start_coredns(self) -> None:
        folder = self.folder / "coredns"
        folder.mkdir(exist_ok=True)
        (folder / "Corefile").write_text(f"""\
.:53 {{
    bind {ADDRESS}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {self.control_plane.admin}
    }}
    cache 5
}}
""")
        self.daemons.start(
            "coredns",
            *(program("coredns"), "-conf", folder / "Corefile"),
            ready=lambda: (
                f"{ADDRESS}:53" in (self.daemons.logs / "coredns.log").read_text()
                or "CoreDNS-" in (self.daemons.logs / "coredns.log").read_text()
            ),
        )

    def _node_ready(self) -> bool:
        condition = "{.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "node", NODE_NAME, "-o", f"jsonpath={condition}") == "True"

    # -- images and commands -------------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str | Path, **options: object) -> str:
        """Run kubectl as the cluster's admin."""
        return run(program("kubectl"), "--kubeconfig", self.control_plane.admin, *arguments, **options)

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's own client in Kubernetes' namespace."""
        return run(packages.path("ctr"), "--address", self.socket, "--namespace", "k8s.io", *arguments)

    def images(self) -> list[str]:
        """Names of the images that the node has."""
        return self.ctr("images", "ls", "-q").split()

    def load(self, archive: Path) -> None:
        """Import an image archive."""
        self.ctr("images", "import", "--snapshotter", "overlayfs", archive)

    # -- down ----------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the node's processes and containers, and take back its mounts, network and cgroups."""
        for name in ("coredns", "kube-proxy", "kubelet"):
            self.daemons.stop(name)
        _kill_all(_processes_of_cgroup)
        self.daemons.stop("containerd")
        # The shims outlive containerd; their command lines name this cluster's socket, which no one else has.
        _kill_all(lambda: _processes_naming(str(self.socket)))
        _unmount_below(self.folder)
        for family in ("ip", "ip6"):
            subprocess.run([packages.path("nft"), "delete", "table", family, "kube-proxy"], capture_output=True)
        if (Path("/sys/class/net") / BRIDGE).exists():
            run(packages.path("ip"), "link", "delete", BRIDGE)
        before = self.folder / "ip_forward"
        if before.exists():
            IP_FORWARD.write_text(before.read_text())
        for controller in _cgroup_roots():
            _remove_cgroup(controller / CGROUP)
        _remove_networks()
        _remove_leftovers(self.folder)


def _cgroup_roots() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():  # version 2: one tree
        return [root]
    return sorted({path.resolve() for path in root.iterdir() if path.is_dir()})


def _remove_cgroup(folder: Path) -> None:
    if not folder.exists():
        return
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def _processes_of_cgroup() -> set[int]:
    """The processes of all containers: the kubelet puts every pod below the cluster's own cgroup."""
    found = set()
    for controller in _cgroup_roots():
        for listed in (controller / CGROUP).glob("**/cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in listed.read_text().split()}
    return found


def _processes_naming(argument: str) -> set[int]:
    """The processes that have `argument` on their command line."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument.encode() in entry.read_bytes().split(b"\0"):
                found.add(int(entry.parent.name))
    return found


def _kill_all(find: Callable[[], set[int]], *, seconds: float = 20) -> None:
    """Kill until `find` finds none: a process may have started another in the meantime."""
    deadline = time.monotonic() + seconds
    while (found := find()) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)


def _unmount_below(folder: Path) -> None:
    # /proc/mounts writes a space as \040.
    mounts = [line.split()[1].replace("\\040", " ") for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True)


def _remove_networks() -> None:
    """The network namespaces of our pods, and what the network plugins remember of them.

    A pod's virtual cable goes with its namespace.
    """
    for result in CNI_RESULTS.glob(f"{NODE_NAME}-*"):
        with contextlib.suppress(ValueError):
            remembered = json.loads(result.read_text())
            for interface in remembered.get("result", {}).get("interfaces", []):
                network = Path(interface.get("sandbox") or "/")
                if network.name.startswith("cni-"):
                    subprocess.run(["umount", "--lazy", str(network)], capture_output=True)
                    network.unlink(missing_ok=True)
            for other in CNI_RESULTS.glob(f"*-{remembered['containerId']}-*"):
                other.unlink(missing_ok=True)
        result.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Links to the pods' logs, and the folders at fixed places that are empty now."""
    logs = Path("/var/log/containers")
    for link in logs.glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{folder}/"):
            link.unlink()
    runtime = Path("/run/containerd")
    shims = (runtime / "runc" / "k8s.io", runtime / "runc", runtime / "s", runtime)
    for empty in (CNI_RESULTS, CNI_RESULTS.parent, logs, *shims):
        with contextlib.suppress(OSError):
            empty.rmdir()
