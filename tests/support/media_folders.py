"""Folders that `allowed_local_media_path` may be, and those below, at or above which lies more than media."""

from __future__ import annotations

REACHING = [
    "/",
    "//",
    "/./",
    "/etc/",
    "//etc",
    "/etc/ssl/..",
    "/home",
    "/home/ray",
    "/home/ray/../../etc",
    "/home/ray/.cache/huggingface",
    "/media/./pictures",
    "/proc/self",
    "/root",
    "/run",
    "/sys",
    "/tmp",
    "/tmp/ray/session_latest",
    "/var",
    "/var/run/secrets",
    ".",
    "~",
    "media",
]
HARMLESS = ["/media", "/media/pictures/", "/home/ray/media", "/tmp/rays", "/etcetera", "/mnt/.hidden/..b"]
