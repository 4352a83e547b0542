"""Every tensor of a checkpoint, from the headers of all its weight files. Takes its source; opens no other format."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generator.checkpoint.reference import CONFIG
from generator.checkpoint.safetensors import Tensor
from generator.checkpoint.source import CheckpointSource
from generator.errors import UserError

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def refuse_other_formats(source: CheckpointSource) -> None:
    """Raise a UserError that says what is there, where it is nothing that can be read."""
    if source.only_config:
        return
    endings = {Path(name).suffix for name in source.names}
    safetensors = ".safetensors" in endings
    if ".gguf" in endings and not safetensors:
        raise UserError(
            "has only GGUF weights, which this chart does not serve",
            where=source.source,
            fix="Give the checkpoint that they were made from (its model card says which).",
        )
    if CONFIG not in source.names:
        if "adapter_config.json" in source.names:
            raise UserError("is a LoRA adapter, not a model", where=source.source, fix="Add its base model instead.")
        raise UserError(
            f"has no {CONFIG}",
            where=source.source,
            fix="Give a folder in the transformers format: config.json beside *.safetensors.",
        )
    if not safetensors and endings & {".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"}:
        raise UserError(
            "has no safetensors, only weights of formats that are not opened here",
            where=source.source,
            fix="Save it with save_pretrained(safe_serialization=True), or give its config.json alone: parameters are "
            "then computed.",
        )


def read_tensors(source: CheckpointSource, tell: Callable[[str], None]) -> dict[str, Tensor]:
    """Return every tensor by name; none where there are no weights, or where a configuration alone was given."""
    files = [] if source.only_config else _weight_files(source)
    if not files:
        return {}
    missing = [name for name in files if name not in source.names]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(files)} weight files are missing: {', '.join(missing[:3])}"
            + (", …" if len(missing) > 3 else ""),
            where=source.where(_INDEX),
            fix="Finish the download (or copy), then run this again.",
        )
    tell(f"reading the headers of {len(files)} safetensors file{'s' * (len(files) > 1)}")
    with ThreadPoolExecutor(max_workers=8) as pool:
        headers = pool.map(source.header, files)
        tensors = {name: tensor for header in headers for name, tensor in header.items()}
    if not any(tensor.bytes for tensor in tensors.values()):
        raise UserError(
            "its safetensors files hold no tensors", where=source.source, fix="Copy or download them again."
        )
    return tensors


def _weight_files(source: CheckpointSource) -> list[str]:
    if _INDEX in source.names:
        index = source.json(_INDEX).get("weight_map")
        if not isinstance(index, dict) or not index or not all(isinstance(file, str) for file in index.values()):
            what, fix = "`weight_map` is missing or empty", "Copy or download the file again."
            raise UserError(what, where=source.where(_INDEX), fix=fix)
        return sorted(set(index.values()))
    if _SINGLE in source.names:
        return [_SINGLE]
    files = sorted(name for name in source.names if name.endswith(".safetensors") and "/" not in name)
    # The same weights twice, in Mistral's own format; or an adapter that lies beside the model.
    return [n for n in files if not n.startswith(("consolidated", "adapter_"))] or files
