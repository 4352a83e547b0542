"""What a node changes on its machine outside the cluster's folder, so that all of it can be taken back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from generator.errors import UserError

from . import packages
from .daemons import started
from .settings import run

NAME = "ray-serve-llm"
"""Of the bridge, the cgroup and the pods' network: what has it is the cluster's."""
ADDRESS = "10.245.0.1"
"""The machine's address for the cluster, on a bridge without ports: it is there on every machine, and on no network."""
BRIDGE = Path("/sys/class/net") / NAME
CNI_RESULTS = Path("/var/lib/cni/results")
PLUGIN_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
"""At a fixed place, whatever the kubelet's own folder is."""
SYSCTLS = (
    "net.ipv4.ip_forward",
    # The kubelet sets these.
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)
CONTROLLERS = ("cpu", "cpuset", "hugetlb", "memory", "pids")


class Machine:
    """This machine; `folder` is the cluster's, where its settings from before are kept."""

    def __init__(self, folder: Path) -> None:
        self.before = folder / "sysctls.json"

    def prepare(self) -> None:
        """Give the machine the cluster's address and cgroup, and let it forward between pods."""
        if not self.before.exists():
            self.before.write_text(json.dumps({name: _sysctl(name).read_text() for name in SYSCTLS}))
        ip = packages.path("ip")
        if not BRIDGE.exists():
            run(ip, "link", "add", NAME, "type", "bridge")
        run(ip, "address", "replace", f"{ADDRESS}/32", "dev", NAME)
        run(ip, "link", "set", NAME, "up")
        _sysctl("net.ipv4.ip_forward").write_text("1")
        for root in _cgroup_roots():
            _make_cgroup(root)

    def restore(self) -> None:
        """Take back everything but files of the cluster's folder; its processes have ended."""
        _remove_networks()
        if BRIDGE.exists():
            run(packages.path("ip"), "link", "delete", NAME)
        if self.before.exists():
            for name, value in json.loads(self.before.read_text()).items():
                _sysctl(name).write_text(value)
        for root in _cgroup_roots():
            for path, _, _ in os.walk(root / NAME, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
        if not kubelets():
            PLUGIN_SOCKET.unlink(missing_ok=True)
        runtime, opt = Path("/run/containerd"), Path("/opt/containerd")
        for empty in (
            *(CNI_RESULTS, CNI_RESULTS.parent),
            *(PLUGIN_SOCKET.parent, PLUGIN_SOCKET.parent.parent, Path("/var/log/containers")),
            *(runtime / "runc" / "k8s.io", runtime / "runc", runtime / "s", runtime),
            *(opt / "bin", opt / "lib", opt),
        ):
            with contextlib.suppress(OSError):
                empty.rmdir()


def remove_log_links(folder: Path) -> None:
    """The links to pods' logs that the kubelet makes at a fixed place."""
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{folder}/"):
            link.unlink()


def kubelets() -> set[int]:
    """The kubelets that run on this machine, whoever's they are; one that has ended may still have to be reaped."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if entry.read_text().startswith("kubelet") and started(int(entry.parent.name)):
                found.add(int(entry.parent.name))
    return found


def processes_of_pods() -> set[int]:
    """The processes of all containers: the kubelet puts every pod below the cluster's own cgroup."""
    found = set()
    for root in _cgroup_roots():
        for folder, _, _ in os.walk(root / NAME):  # unlike glob it goes on when a pod's folder goes meanwhile
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return found


def processes_naming(argument: str) -> set[int]:
    """The processes that have `argument` on their command line."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument.encode() in entry.read_bytes().split(b"\0"):
                found.add(int(entry.parent.name))
    return found


def kill_all(find: Callable[[], set[int]], *, seconds: float = 30) -> None:
    """Kill until `find` finds none: a process may have started another meanwhile. Raises UserError after `seconds`."""
    deadline = time.monotonic() + seconds
    while found := find():
        if time.monotonic() > deadline:
            raise UserError(f"processes do not end: {sorted(found)}", fix="Look at them with ps, then say it again.")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder, so that removing it removes nothing of another place. Raises UserError."""
    for mount in _mounts_below(folder):
        subprocess.run(["umount", "--lazy", mount], capture_output=True)
    left = _mounts_below(folder)
    if left:
        raise UserError(f"cannot be unmounted: {', '.join(left)}", fix="Unmount them, then say it again.")


def _mounts_below(folder: Path) -> list[str]:
    # /proc/mounts writes a space as \040.
    mounts = [line.split()[1].replace("\\040", " ") for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True)


def _remove_networks() -> None:
    """The network namespaces of the pods, and what the network plugins remember of them.

    A pod's virtual cable goes with its namespace.
    """
    for result in CNI_RESULTS.glob(f"{NAME}-*"):
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


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def _cgroup_roots() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():  # version 2: one tree
        return [root]
    return sorted({path.resolve() for path in root.iterdir() if path.is_dir()})


def _make_cgroup(root: Path) -> None:
    """The cluster's cgroup, with everything that a kubelet asks of it."""
    available = root / "cgroup.controllers"
    if available.exists():
        wanted = [name for name in CONTROLLERS if name in available.read_text().split()]
        try:
            (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))
        except OSError as error:
            raise UserError(
                f"the cgroup controllers {', '.join(wanted)} cannot be handed to the pods: {error.strerror}",
                where=str(root),
                fix="Run it on the machine itself and not in a container, or use Docker (kind).",
            ) from error
    (root / NAME).mkdir(exist_ok=True)
    if (root / "cpuset.cpus").exists():  # version 1: a new cpuset is empty, and nothing can run in it
        for name in ("cpuset.cpus", "cpuset.mems"):
            (root / NAME / name).write_text((root / name).read_text())
