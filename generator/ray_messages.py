"""What Ray's long messages say, in a sentence: they hold the traceback of every process on the way."""

from __future__ import annotations

import re

from generator.redaction import redact

LONGEST = 400
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_EXCEPTION = re.compile(
    r"^(?:\(.*?\) )?((?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|NotFound)\w*)(?:: (.*))?$"
)
# Exceptions that only say that another one, above them, ended it.
_WRAPPING = re.compile(
    r"Engine core initialization failed|Engine process failed|See root cause above|RayTaskError|RayActorError|"
    r"ActorDiedError|actor died|EngineDeadError|initial health check failing|WorkerProc initialization failed"
)
_WAITING = re.compile(
    r"has (\d+) replicas? that ha(?:s|ve) taken more than \S+ to be scheduled.*?"
    r"Resources required for each replica: (.*?), total resources available: (\{.*?\})",
    re.DOTALL,
)
_STARTING = re.compile(r"has (\d+) replicas? that ha(?:s|ve) taken more than (\S+) to initialize")


def root_cause(message: str) -> str:
    """The sentence of one of Ray's long messages that says what is wrong: the innermost exception of a traceback.

    Nothing that looks like a token or a password is kept.
    """
    text = redact(_ANSI.sub("", message)).strip()
    waiting = _WAITING.search(text)
    if waiting:
        count = "a replica waits" if waiting[1] == "1" else f"{waiting[1]} replicas wait"
        return f"{count} for {_resources(waiting[2])}; free in the cluster: {_resources(waiting[3])}"
    starting = _STARTING.search(text)
    if starting:
        who = "a replica has" if starting[1] == "1" else f"{starting[1]} replicas have"
        return f"{who} been starting for more than {starting[2]}; a large model takes minutes"
    lines = [line.strip() for line in text.splitlines()]
    exceptions = [(index, match) for index, line in enumerate(lines) if (match := _EXCEPTION.match(line))]
    causes = [(index, match) for index, match in exceptions if not _WRAPPING.search(lines[index])]
    if not causes:
        return shortened(" ".join(line for line in lines if line and not line.startswith(("File ", "^", "Traceback"))))
    # Ray prints the first cause first and then the same again as each caller saw it; the last one is the caller's.
    index, match = causes[-1]
    sentence = match[2] or ""
    for line in lines[index + 1 : index + 4]:
        if not line or line.startswith(("File ", "Traceback", "During handling", "The above exception")):
            break
        sentence += f" {line}"
    return shortened(f"{match[1].rpartition('.')[2]}: {sentence.strip()}" if sentence.strip() else match[1])


def shortened(text: str) -> str:
    """What others said, in the length of a line or two and without what looks like a secret."""
    text = redact(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _resources(text: str) -> str:
    """`{"CPU": 1.0, "l4-workers": 1.0}` as `1 CPU, 1 l4-workers`; `nothing` where it is empty."""
    pairs = re.findall(r"[\"']([^\"']+)[\"']: ([0-9.e+]+)", text)
    return ", ".join(f"{float(amount):g} {name}" for name, amount in pairs if float(amount)) or "nothing"
