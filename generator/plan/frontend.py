"""Engine arguments and variables of a front end that does not answer: they would do nothing, without a word."""

from __future__ import annotations

from collections.abc import Iterator

from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.facts.releases import RayRelease
from generator.plan.requirements import at


def frontend_faults(
    model_id: str, llm_config: JsonObject, release: RayRelease, *, standard: str, where: str
) -> Iterator[UserError]:
    """`standard` is why requests go through Ray's own ingress; nothing where they go straight to vLLM's."""
    names = release.frontend_arguments
    for name, value in (at(llm_config, "engine_kwargs") or {}).items():
        if value and name in names["server"]:
            yield UserError(
                f"model '{model_id}': '{name}' is for the server of `vllm serve`, which Ray does not start",
                where=where,
                fix="Take it out; Serve's own options are in `chart: {serving: {config: …}}`.",
            )
        elif value and standard and name in names["app"]:
            yield UserError(
                f"model '{model_id}': '{name}' would do nothing, for Ray's own ingress answers on the standard path "
                f"({standard})",
                where=where,
                fix="Take it out, or take the throughput path, where vLLM's own front end reads it.",
            )
