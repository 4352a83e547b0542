"""HAProxy as `serve` starts it: what Ray's configuration opens to everyone listens on this machine alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

from generator.local.haproxy import loopback_haproxy

CONFIGURATION = """frontend prometheus
    bind :9101
    mode http
frontend http_frontend
    bind 127.0.0.1:8000
listen stats
  bind *:8404
  stats uri /stats
"""


def test_what_ray_binds_to_every_interface_listens_on_the_loopback_address(tmp_path: Path) -> None:
    stand_in = tmp_path / "a program's name"
    stand_in.write_text('#!/bin/sh\necho "$@"\ncat "$3"\n')
    stand_in.chmod(0o700)
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(CONFIGURATION)
    program = loopback_haproxy(tmp_path / "folder", str(stand_in))

    command = [str(program), "-db", "-f", str(configuration), "-sf", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    arguments, *lines = done.stdout.splitlines()
    assert arguments == f"-db -f {configuration} -sf 1"
    binds = [line.split()[1] for line in lines if line.strip().startswith("bind")]
    assert binds == ["127.0.0.1:9101", "127.0.0.1:8000", "127.0.0.1:8404"]
    assert "  stats uri /stats" in lines


def test_without_a_configuration_nothing_starts(tmp_path: Path) -> None:
    program = loopback_haproxy(tmp_path, "/bin/true")
    assert subprocess.run([str(program), "-db", "-f", str(tmp_path / "none")], check=False).returncode == 1
