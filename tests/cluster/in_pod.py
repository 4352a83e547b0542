"""Runs in a pod beside the release, with the standard library alone: one request, or a steady load.

`ask SECONDS URL BODY` prints {"status", "body"}.
`load FOLDER URL BODY` sends as many requests a second as FOLDER/rate says, until FOLDER/stop is there; every answer
becomes one line of FOLDER/answers.jsonl: {"at", "seconds", "status", "error"} (`at` is when the request was sent, in
seconds of the epoch).
"""

import http.client
import json
import pathlib
import sys
import threading
import time
import urllib.error
import urllib.request

TIMEOUT_S = 120
"""As patient as a client that means it: a model that wakes from zero has its request held meanwhile."""


def send(url, body, timeout):
    """Status and text of the answer; 0 and the reason where there was none."""
    request = urllib.request.Request(url, data=body.encode() or None, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}"


def ask(seconds, url, body):
    status, text = send(url, body, float(seconds))
    print(json.dumps({"status": status, "body": text}))


def load(folder, url, body):
    folder = pathlib.Path(folder)
    lock = threading.Lock()
    answers = (folder / "answers.jsonl").open("w", buffering=1)

    def one():
        at = time.time()
        status, text = send(url, body, TIMEOUT_S)
        line = {"at": at, "seconds": round(time.time() - at, 3), "status": status}
        if status != 200:
            line["error"] = text[:300]
        with lock:
            answers.write(json.dumps(line) + "\n")

    # Every request has a thread of its own: a slow answer does not hold the next request back.
    sent, threads = 0.0, []
    while not (folder / "stop").exists():
        if time.monotonic() - sent >= 1 / float((folder / "rate").read_text()):
            sent = time.monotonic()
            threads.append(threading.Thread(target=one))
            threads[-1].start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    (folder / "done").touch()


{"ask": ask, "load": load}[sys.argv[1]](*sys.argv[2:])
