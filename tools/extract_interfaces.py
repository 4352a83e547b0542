"""Writes generator/data/interfaces.json: which architectures of a vLLM serve no adapters, or have no pipeline stages.

Asks the classes of the installed vLLM, which imports every model: `make interfaces`. What other versions said stays. A
class that cannot be imported here, for want of a GPU's libraries, is left out, so nothing is said of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import vllm
from vllm import ModelRegistry
from vllm.model_executor.models.interfaces import supports_lora, supports_pp

PATH = Path(__file__).resolve().parents[1] / "generator" / "data" / "interfaces.json"
INTERFACES = {"withoutLora": supports_lora, "withoutPipeline": supports_pp}


def main() -> None:
    classes = {name: loaded for name, model in ModelRegistry.models.items() if (loaded := _loaded(model))}
    data = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {key: {} for key in INTERFACES}
    for key, supports in INTERFACES.items():
        lacking = sorted(name for name, loaded in classes.items() if not supports(loaded))
        said = {**data[key], vllm.__version__.partition("+")[0]: lacking}
        data[key] = {version: said[version] for version in sorted(said, key=_numbers)}
    data = {
        "generatedBy": "tools/extract_interfaces.py (make interfaces)",
        "source": "SupportsLoRA and SupportsPP of the classes in vllm/model_executor/models/registry.py",
        **{key: data[key] for key in INTERFACES},
    }
    PATH.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _loaded(model: Any) -> type | None:
    try:
        loaded: type = model.load_model_cls()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        print(f"left out: {model}: {error}")
        return None
    return loaded


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


if __name__ == "__main__":
    main()
