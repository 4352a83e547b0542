"""The load generator's own process: `vllm bench serve` for one point after another, imported once.

Every line of standard input is a JSON list of its arguments; every line of standard output is what it measured, or
`{"error": …}`. What it prints itself goes to standard error. Run by `load.py` with the Python that has vLLM.

vLLM's requests to completions always stream. The backend `openai-plain`, put beside them in vLLM's own table, asks for
the answer in one piece; for it the time to the first token is the time to the whole answer, and is not reported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import traceback
from typing import Any

PLAIN = "openai-plain"


async def ask_plainly(request_func_input: Any, session: Any, pbar: Any = None) -> Any:
    """One completion without streaming, as one of vLLM's `RequestFunc`s."""
    from vllm.benchmarks.lib import endpoint_request_func as requests

    request = request_func_input  # vLLM calls it by that name.
    body = {
        "model": request.model_name or request.model,
        "prompt": request.prompt,
        "max_tokens": request.output_len,
        "ignore_eos": request.ignore_eos,
        **(request.extra_body or {}),
    }
    headers = {**requests._get_headers(), **(request.extra_headers or {})}
    output = requests.RequestFuncOutput(prompt_len=request.prompt_len)
    started = output.start_time = time.perf_counter()
    try:
        async with session.post(url=request.api_url, json=body, headers=headers) as response:
            text = await response.read()
            output.latency = output.ttft = time.perf_counter() - started
            if response.status == 200:
                answer = json.loads(text)
                output.generated_text = answer["choices"][0]["text"]
                output.output_tokens = answer["usage"]["completion_tokens"]
                output.success = True
            else:
                output.error = f"status {response.status}: {text[:300]!r}"
    except Exception:
        output.error = traceback.format_exc(limit=1)
    return output


def main() -> None:
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Importing vLLM may print, so only now.
    import vllm
    from vllm.benchmarks import serve
    from vllm.benchmarks.lib import endpoint_request_func as requests

    requests.ASYNC_REQUEST_FUNCS[PLAIN] = ask_plainly
    serve.OPENAI_COMPATIBLE_BACKENDS.append(PLAIN)
    parser = argparse.ArgumentParser()
    serve.add_cli_args(parser)
    print(json.dumps({"ready": True}), file=results, flush=True)
    for line in sys.stdin:
        try:
            cpu = time.process_time()
            result: dict[str, Any] = asyncio.run(serve.main_async(parser.parse_args(json.loads(line))))
            result["errors"] = sorted({error.strip() for error in result["errors"] if error})[:3]
            result["client_cpu_s"] = time.process_time() - cpu
            result = {name: value for name, value in result.items() if not isinstance(value, list) or name == "errors"}
        except SystemExit:  # argparse's, which has said why
            result = {"error": f"that vLLM {vllm.__version__} does not take an argument (0.29 does)"}
        except Exception as error:
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), file=results, flush=True)


if __name__ == "__main__":
    main()
