"""What is said while a release starts on this machine."""

from __future__ import annotations

from generator.progress import Progress


def test_a_replica_that_fails_is_told_with_its_cause() -> None:
    message = (
        "The deployment failed to start 1 times in a row. Error:\nray::ServeReplica:a()\n"
        '  File "x.py", line 1, in y\nOSError: /nowhere is not a folder\n\nThe above exception was the direct cause:\n'
        "RuntimeError: Engine core initialization failed. See root cause above."
    )
    details = {"status": "UPDATING", "message": message, "replicas": []}
    lines: list[str] = []
    progress = Progress(lines.append)
    progress.follow({"a": {"status": "DEPLOYING", "deployments": {"LLMServer:a": details}}}, lambda _: [])
    assert lines[-1].endswith("a / LLMServer: a replica failed, Ray may try again: OSError: /nowhere is not a folder")
