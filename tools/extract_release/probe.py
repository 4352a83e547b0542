"""What a release accepts where it decides in code: asked of Ray itself, by trying. Nothing is started."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any
from unittest import mock

from .left_out import LeftOut
from .release import Release

_REJECTED = (ValueError, TypeError)
_NO_HARDWARE: Mapping[str, Any] = {}


class Probe:
    """Builds a model's deployment, or its engine arguments."""

    def __init__(self, release: Release) -> None:
        self._release = release

    def fixed_replicas_hold(self) -> bool:
        """Whether a fixed count of replicas is kept, and not the autoscaling of Ray LLM's own class."""
        return self._deployment(num_replicas=2)._deployment_config.autoscaling_config is None

    def confirm_deployment_options(self, left_out: Mapping[str, LeftOut]) -> None:
        """Raises SystemExit where Ray builds a deployment with an option that is left out since it did not."""
        for option, entry in left_out.items():
            if entry.probe is None:
                continue
            try:
                self._deployment(**{option: entry.probe})
            except _REJECTED:
                continue
            raise SystemExit(f"Ray now accepts {option} in deployment_config: take it off the table")

    def confirm_engine_arguments(self, left_out: Mapping[str, LeftOut]) -> None:
        """The same for arguments of the engine."""
        for key, entry in left_out.items():
            try:
                self._engine_kwargs(_NO_HARDWARE, **{key: entry.probe})
            except _REJECTED:
                continue
            raise SystemExit(f"Ray now accepts {key} in engine_kwargs: take it off the table")

    def executor_backends(self) -> list[str]:
        """The executors that Ray leaves as they are on some hardware; it rejects or replaces the others."""
        hardware = [_NO_HARDWARE]
        if "placement_group_config" in self._release.llm_config.model_fields:
            hardware.append({"placement_group_config": {"bundles": [{"CPU": 1}]}})
        return sorted(
            backend
            for backend in ("ray", "mp", "uni", "external_launcher")
            if any(self._executor_backend(backend, kind) == backend for kind in hardware)
        )

    def accelerators(self) -> list[str]:
        """The release's accelerator names, with A10, which a validator turns into A10G."""
        names = [member.value for member in self._release.accelerator_type if isinstance(member.value, str)]
        return [name for name in [*names, "A10"] if self._is_accelerator(name)]

    def _llm_config(self, **fields: Any) -> Any:
        return self._release.llm_config.model_validate({"model_loading_config": {"model_id": "probe"}, **fields})

    def _deployment(self, **options: Any) -> Any:
        """The Serve deployment that Ray makes of a model with these deployment options."""
        llm_config = self._llm_config(deployment_config=options)
        # Ray asks for the runtime environment that it runs in, and would start a cluster to answer itself.
        with mock.patch("ray.get_runtime_context", lambda: types.SimpleNamespace(runtime_env={})):
            return self._release.build_llm_deployment(llm_config)._bound_deployment

    def _engine_kwargs(self, hardware: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The arguments that vLLM gets, with Ray's own changes."""
        config = self._llm_config(engine_kwargs=kwargs, **hardware)
        arguments: dict[str, Any] = config.get_engine_config().get_initialization_kwargs()
        return arguments

    def _executor_backend(self, backend: str, hardware: Mapping[str, Any]) -> str | None:
        """The executor that vLLM gets where `backend` is asked for; None where Ray rejects it."""
        key = "distributed_executor_backend"
        try:
            return str(self._engine_kwargs(hardware, **{key: backend})[key])
        except _REJECTED:
            return None

    def _is_accelerator(self, name: str) -> bool:
        try:
            self._llm_config(accelerator_type=name)
        except _REJECTED:
            return False
        return True
