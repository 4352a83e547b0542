"""A checkpoint: what a model says of itself, in a hub repository, a folder, or its config.json alone.

Weights are never loaded. A safetensors file begins with a header that names every tensor with its type and shape, so
a few kilobytes tell parameters and bytes to the last one. Where there are no weights, both are computed from the
configuration, for the architectures in `_COUNTED`.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast

import yaml

from .catalog import Architecture, Provenance, Weights
from .errors import UserError, did_you_mean

Json = Mapping[str, Any]
Report = Callable[[str], None]
Dtype = Literal["bfloat16", "float16", "float32"]

CONFIG, TOKENIZER, CARD = "config.json", "tokenizer_config.json", "README.md"
SAFETENSORS, INDEX = "model.safetensors", "model.safetensors.index.json"
_MAX_HEADER = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What `add` writes of a model, and what people should know before they serve it."""

    source: str
    """Hub id, or absolute path of the folder."""
    revision: str | None
    """Commit of the hub repository (40 hex digits)."""
    architecture: Architecture
    weights: Weights
    license: str | None
    context: int
    """Tokens the model was made for: its positions (after YaRN), or fewer where its tokenizer says so."""
    model_id: str
    """A suggestion: the name in lower case, DNS-safe."""
    family: str
    """A suggestion: the name up to the size."""
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def quantization(self) -> str | None:
        """`quant_method`, such as awq; None where weights have the checkpoint's own type."""
        return self.architecture.quant_method

    def entry(self, *, context: int | None = None, sequences: int = 64) -> dict[str, Any]:
        """The model's entry of a catalog file, as data. Context by default: 8,192 tokens, or the model's if less."""
        entry = {
            "source": self.source,
            "revision": self.revision,
            "license": self.license,
            "needs": {"context": context or min(8192, self.context), "sequences": sequences},
            "architecture": self.architecture.model_dump(exclude_none=True),
            "weights": self.weights.model_dump(),
            "provenance": self.provenance.model_dump(exclude_defaults=True),
        }
        return {key: value for key, value in entry.items() if value is not None}


def read_checkpoint(reference: str, *, revision: str | None = None, report: Report | None = None) -> Checkpoint:
    """Return what the checkpoint at `reference` says of itself.

    `reference` is a hub id (`org/name`, or its page's address), a folder, or a config.json. A folder or file that
    exists wins over a hub id, and needs no network. `revision` (a branch, tag or commit of the hub, `main` by default)
    is pinned to its commit. `report` gets a line when something slow begins.

    Raises UserError: nothing there, half-written, no weights that can be read, a repository that needs a token.
    """
    tell = report or (lambda line: None)
    place = _place(reference.strip(), revision)
    if isinstance(place, _Folder):
        return _read(place, tell)
    with place.connected(tell):
        return _read(place, tell)


def suggest_model_id(name: str) -> str:
    """`org/Falcon-H1-0.5B-Instruct` → `falcon-h1-0.5b-instruct`: a-z, 0-9, '.' and '-', at most 63 characters."""
    plain = re.sub(r"[^a-z0-9.]+", "-", name.rsplit("/", 1)[-1].lower())
    return re.sub(r"\.{2,}", ".", plain)[:63].strip("-.") or "model"


def suggest_family(name: str) -> str:
    """The name up to the size (`-7B`, `_135M`, `-8x7B`, `-E4B`), without dots; the whole name where it has no size.

    `Falcon3-7B-Instruct` → `falcon3`, `Falcon-H1-1.5B-Deep-Instruct` → `falcon-h1`, `Llama-3.1-8B` → `llama-3-1`.
    """
    plain = suggest_model_id(name)
    size = re.search(r"(?<=.)-(\d+x)?e?\d+(\.\d+)?[bmt](?![a-z0-9])", plain)
    return re.sub(r"[.-]+", "-", plain[: size.start()] if size else plain)[:40].strip("-")


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class _Tensor:
    dtype: str
    elements: int
    bytes: int


class _Place(Protocol):
    """Where a checkpoint's files are."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def only_config(self) -> bool: ...
    def names(self) -> frozenset[str]: ...
    def where(self, name: str) -> str: ...
    def text(self, name: str) -> str: ...
    def header(self, name: str) -> dict[str, _Tensor]: ...
    def license(self) -> str | None: ...
    def gated(self) -> bool: ...


def _place(reference: str, revision: str | None) -> _Folder | _Hub:
    address = re.fullmatch(r"https?://(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+)(?:/tree/([^/?#]+))?/?", reference)
    if address:
        return _Hub(address[1], revision or address[2])
    path = Path(reference).expanduser()
    if reference and path.exists():
        if revision:
            raise UserError("a folder has no revisions", where=reference, fix="Leave --revision out.")
        if path.is_dir():
            return _Folder(path, only_config=None)
        if path.suffix == ".json":
            return _Folder(path.parent, only_config=path.name)
        raise UserError("is neither a folder nor a config.json", where=reference, fix=_GIVE)
    if re.match(r"[./~]|[A-Za-z]:\\", reference) or reference.endswith(".json") or reference.count("/") > 1:
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        fix = near if near.startswith("did you") else f"Check the path. {_GIVE}"
        raise UserError("no such folder or file", where=reference, fix=fix)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", reference, re.ASCII) or re.search(
        r"--|\.\.|[.-]$|\.git$", reference
    ):
        raise UserError(f"'{reference}' is no hub id, and no folder or file here", where="add", fix=_GIVE)
    return _Hub(reference, revision)


_GIVE = "Give a hub id such as tiiuae/Falcon3-7B-Instruct, a folder with config.json, or a config.json."


class _Folder:
    """A folder, or one configuration file of it."""

    def __init__(self, path: Path, *, only_config: str | None) -> None:
        self._path = Path(os.path.normpath(path.absolute()))  # links stay: a hub snapshot is a folder of links
        self._config = only_config
        # The hub's own cache keeps repository and commit in the path: …/models--org--name/snapshots/<commit>.
        cached = re.search(r"/models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})$", self._path.as_posix())
        self._cached = (f"{cached[1]}/{cached[2]}", cached[3]) if cached else None

    @property
    def only_config(self) -> bool:
        return self._config is not None

    @property
    def source(self) -> str:
        return self._cached[0] if self._cached else str(self._path)

    @property
    def name(self) -> str:
        if self.only_config and not self._cached:
            named = _json(self.text(CONFIG), self.where(CONFIG)).get("_name_or_path")
            if isinstance(named, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", named):
                return named
        return self.source.rstrip("/")

    @property
    def revision(self) -> str | None:
        return self._cached[1] if self._cached else None

    def names(self) -> frozenset[str]:
        try:
            return frozenset(CONFIG if p.name == self._config else p.name for p in self._path.iterdir())
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=str(self._path)) from None

    def where(self, name: str) -> str:
        return str(self._path / (self._config if self._config and name == CONFIG else name))

    def text(self, name: str) -> str:
        try:
            return Path(self.where(name)).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise UserError("not UTF-8 text", where=self.where(name), fix="Copy or download the file again.") from None
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=self.where(name)) from None

    def header(self, name: str) -> dict[str, _Tensor]:
        return _read_header(Path(self.where(name)))

    def license(self) -> str | None:
        if CARD not in self.names():
            return None
        found = re.match(r"\ufeff?---\s*\n(.*?)\n---", self.text(CARD), re.DOTALL)
        try:
            return _license(yaml.safe_load(found[1])) if found else None
        except yaml.YAMLError:
            return None

    def gated(self) -> bool:
        return False


def _read_header(path: Path) -> dict[str, _Tensor]:
    """Return the tensors of a local safetensors file: 8 bytes of length (little endian), then that much JSON."""
    where, again = str(path), "Copy or download the file again."
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start == b"version ":
                raise UserError("a Git LFS pointer, not the weights", where=where, fix="Run: git lfs pull")
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > min(size - 8, _MAX_HEADER):
                raise UserError("cut off: its safetensors header is not whole", where=where, fix=again)
            header = json.loads(file.read(length))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=where) from None
    except ValueError:
        raise UserError("no safetensors file: its header is not JSON", where=where, fix=again) from None
    try:
        tensors = {
            name: _tensor(item["dtype"], item["shape"], item["data_offsets"])
            for name, item in header.items()
            if name != "__metadata__"
        }
        end = max((item["data_offsets"][1] for name, item in header.items() if name != "__metadata__"), default=0)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        what = "no safetensors file: its header says no dtype, shape and offsets"
        raise UserError(what, where=where, fix=again) from None
    if 8 + length + end > size:
        raise UserError(f"cut off: {size:,} of {8 + length + end:,} bytes are there", where=where, fix=again)
    return tensors


def _tensor(dtype: str, shape: list[int], offsets: Any) -> _Tensor:
    start, end = offsets
    return _Tensor(dtype=str(dtype), elements=math.prod(shape), bytes=end - start)


class _Hub:
    """A repository of the Hugging Face hub at one commit. Small files go to a temporary folder."""

    only_config = False

    def __init__(self, repository: str, revision: str | None) -> None:
        self.source = self.name = repository
        self._asked = revision
        self.revision: str | None = None

    @contextmanager
    def connected(self, tell: Report) -> Iterator[None]:
        try:
            from huggingface_hub import HfApi, errors
            from huggingface_hub.utils import disable_progress_bars
        except ImportError:
            raise UserError(
                "reading the hub needs the Python package huggingface_hub, which is not installed here",
                where=self.source,
                fix="Run: pip install huggingface_hub, or give a folder or its config.json.",
            ) from None
        # The library reads HF_TOKEN itself; the endpoint it would read only once, when it is imported.
        self._api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
        # The library's errors derive from its HTTP client's, whichever that is in this release.
        transport = cast(tuple[type[Exception], ...], errors.HfHubHTTPError.__bases__)
        disable_progress_bars()
        tell(f"asking the hub for {self.source}" + (f" at {self._asked}" if self._asked else ""))
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
            self._folder = folder
            try:
                self._info = self._api.model_info(self.source, revision=self._asked, timeout=30)
                self.revision = self._info.sha
                yield
            except (*transport, OSError, errors.SafetensorsParsingError, errors.HFValidationError) as error:
                raise self._explained(error, errors) from None

    def names(self) -> frozenset[str]:
        return frozenset(sibling.rfilename for sibling in self._info.siblings or [])

    def where(self, name: str) -> str:
        return f"{self.source}/{name}"

    def text(self, name: str) -> str:
        path = self._api.hf_hub_download(self.source, name, revision=self.revision, local_dir=self._folder)
        return Path(path).read_text(encoding="utf-8", errors="replace")

    def header(self, name: str) -> dict[str, _Tensor]:
        found = self._api.parse_safetensors_file_metadata(self.source, name, revision=self.revision)
        return {key: _tensor(item.dtype, item.shape, item.data_offsets) for key, item in found.tensors.items()}

    def license(self) -> str | None:
        card: Any = self._info.card_data
        return _license(card.to_dict()) if card else None

    def gated(self) -> bool:
        return bool(self._info.gated)

    def _explained(self, error: Exception, errors: Any) -> UserError:
        """A fault of the hub or of the way to it, in words."""
        page = f"{os.environ.get('HF_ENDPOINT') or 'https://huggingface.co'}/{self.source}"
        status = getattr(getattr(error, "response", None), "status_code", None)
        token = bool(os.environ.get("HF_TOKEN"))
        if isinstance(error, errors.GatedRepoError):
            first = "HF_TOKEN's account may not read it yet" if token else "no token was given"
            return UserError(
                f"a gated model, and {first}",
                where=self.source,
                fix=f"Accept the license at {page}, then set HF_TOKEN to a token of that account.",
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return UserError(
                f"the repository has no revision '{self._asked}'",
                where=self.source,
                fix=f"Give a branch, tag or commit of {page}/commits/main, or leave --revision out.",
            )
        if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
            secret = "HF_TOKEN may not read it" if token else "for a private one, set HF_TOKEN"
            return UserError(
                "the hub has no such model, or shows it only to its owners",
                where=self.source,
                fix=f"Check the spelling (upper and lower case count); {secret}.",
            )
        if isinstance(error, errors.HFValidationError):
            return UserError(f"'{self.source}' is no hub id", where="add", fix=_GIVE)
        if isinstance(error, errors.SafetensorsParsingError):
            return UserError(
                f"a safetensors header cannot be read: {error}",
                where=self.source,
                fix="Check the files at the hub, or give a folder with them.",
            )
        if isinstance(error, errors.OfflineModeIsEnabled):
            return UserError(
                "HF_HUB_OFFLINE is set, so the hub is not asked",
                where=self.source,
                fix="Unset it, or give a folder or its config.json.",
            )
        if status:
            reason = "too many requests" if status == 429 else f"status {status}"
            return UserError(
                f"the hub does not answer as it should ({reason})",
                where=self.source,
                fix="Try again later, or give a folder or its config.json.",
            )
        if isinstance(error, OSError) and error.filename:
            return UserError(f"cannot be written: {error.strerror}", where=str(error.filename))
        why = next(iter(str(error).splitlines()), type(error).__name__)
        return UserError(
            f"the hub cannot be reached ({why})",
            where=self.source,
            fix="Give a folder or its config.json: both work without network.",
        )


def _license(card: Any) -> str | None:
    """A model card's license; where that is `other`, its name."""
    if not isinstance(card, dict):
        return None
    stated = card.get("license")
    stated = ", ".join(map(str, stated)) if isinstance(stated, list) else stated
    return str(card.get("license_name") or stated) if stated == "other" else (str(stated) if stated else None)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(place: _Place, tell: Report) -> Checkpoint:
    names = place.names()
    _refuse_other_formats(place, names)
    config = _json(place.text(CONFIG), place.where(CONFIG))
    tensors = None if place.only_config else _tensors(place, names, tell)
    notes: list[str] = []
    said = _Config(config, place.where(CONFIG), notes)
    quantization = _quantization(place, names, said)
    tokenizer = _json(place.text(TOKENIZER), place.where(TOKENIZER)) if TOKENIZER in names else {}
    positions = _positions(said, tokenizer)
    architecture = _architecture(said, positions, tensors, quantization.get("quant_method"))
    weights, confidence = _weights(place, said, architecture, quantization, tensors)
    notes += _worth_knowing(place, said, architecture, weights_are_there=tensors is not None)
    read = "config.json" if tensors is None else "config.json and safetensors headers"
    of = place.source if place.revision else Path(place.source).name
    return Checkpoint(
        source=place.source,
        revision=place.revision,
        architecture=architecture,
        weights=weights,
        license=place.license(),
        context=_context(positions, tokenizer, notes),
        model_id=suggest_model_id(place.name),
        family=suggest_family(place.name),
        provenance=Provenance(source=f"{read} of {of}", confidence=confidence),
        notes=tuple(notes),
    )


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        what = "is empty" if not text.strip() else f"not valid JSON: {getattr(error, 'msg', 'too deep')}"
        raise UserError(what, where=where + line, fix="Is it half-written? Copy or download the file again.") from None
    if not isinstance(data, dict):
        raise UserError("no JSON object", where=where, fix='A config.json holds one object: {"architectures": …}.')
    return data


def _refuse_other_formats(place: _Place, names: frozenset[str]) -> None:
    """Say what is there where it is nothing that can be read."""
    endings = {Path(name).suffix for name in names}
    alone = f"or give its {CONFIG} alone: parameters are then computed"
    if place.only_config or (".safetensors" in endings and CONFIG in names):
        return
    if ".gguf" in endings and ".safetensors" not in endings:
        raise UserError(
            "has only GGUF weights, which this chart does not serve",
            where=place.source,
            fix="Give the checkpoint that they were made from (its model card says which).",
        )
    if "adapter_config.json" in names and CONFIG not in names:
        raise UserError("is a LoRA adapter, not a model", where=place.source, fix="Add its base model instead.")
    if CONFIG not in names:
        raise UserError(
            f"has no {CONFIG}",
            where=place.source,
            fix="Give a folder in the transformers format: config.json beside *.safetensors.",
        )
    if endings & {".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"}:
        raise UserError(
            "has no safetensors, only weights of formats that are not opened here",
            where=place.source,
            fix=f"Save it with save_pretrained(safe_serialization=True), {alone}.",
        )


def _tensors(place: _Place, names: frozenset[str], tell: Report) -> dict[str, _Tensor] | None:
    """Every tensor, from the headers of all files; None where there are no weights."""
    files = _weight_files(place, names)
    if not files:
        return None
    missing = [name for name in files if name not in names]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(files)} weight files are missing: {', '.join(missing[:3])}"
            + (", …" if len(missing) > 3 else ""),
            where=place.where(INDEX),
            fix="Finish the download (or copy), then run this again.",
        )
    tell(f"reading the headers of {len(files)} safetensors file{'s' * (len(files) > 1)}")
    with ThreadPoolExecutor(max_workers=8) as pool:
        headers = list(pool.map(place.header, files))
    tensors = {name: tensor for header in headers for name, tensor in header.items()}
    if not any(tensor.bytes for tensor in tensors.values()):
        raise UserError("its safetensors files hold no tensors", where=place.source, fix="Copy or download them again.")
    return tensors


def _weight_files(place: _Place, names: frozenset[str]) -> list[str]:
    if INDEX in names:
        index = _json(place.text(INDEX), place.where(INDEX)).get("weight_map")
        if not isinstance(index, dict) or not index or not all(isinstance(file, str) for file in index.values()):
            raise UserError(
                "`weight_map` is missing or empty", where=place.where(INDEX), fix="Copy or download the file again."
            )
        return sorted(set(index.values()))
    if SAFETENSORS in names:
        return [SAFETENSORS]
    found = sorted(name for name in names if name.endswith(".safetensors") and "/" not in name)
    # The same weights twice, in Mistral's own format; or an adapter that lies beside the model.
    return [n for n in found if not n.startswith(("consolidated", "adapter_"))] or found


class _Config:
    """config.json with other releases' words, and clear faults. A multimodal model's text part is what is served."""

    _also: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "hidden_size": ("n_embd", "d_model"),
        "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
        "num_attention_heads": ("n_head", "n_heads"),
        "num_key_value_heads": ("num_kv_heads", "n_kv_heads", "n_head_kv"),
        "intermediate_size": ("ffn_hidden_size", "n_inner", "ffn_dim"),
        "max_position_embeddings": ("n_positions", "max_sequence_length", "max_seq_len", "seq_length"),
    }

    def __init__(self, config: Json, where: str, notes: list[str]) -> None:
        inner: Json = next(
            (
                config[key]
                for key in ("text_config", "llm_config", "language_config")
                if isinstance(config.get(key), dict)
            ),
            {},
        )
        self.top, self.text, self.where, self.notes = config, inner or config, where, notes

    def get(self, key: str, default: Any = None) -> Any:
        """The text part's value, else the whole model's; null counts as missing."""
        for config in (self.text, self.top):
            for word in (key, *self._also.get(key, ())):
                if config.get(word) is not None:
                    return config[word]
        return default

    def integer(self, key: str) -> int | None:
        value = self.get(key)
        if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
            if len(set(value)) > 1:
                self.notes.append(f"`{key}` differs by layer; the largest, {max(value)}, is taken for all.")
            value = max(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(
                f"`{key}` is {value!r}, not a whole number above 0",
                where=self.where,
                fix="Copy or download the file again.",
            )
        return value

    def needed(self, key: str) -> int:
        value = self.integer(key)
        if value is None:
            raise UserError(
                f"`{key}` is missing",
                where=self.where,
                fix=f"A language model's config.json says its {key}: is this the right file, and whole?",
            )
        return value

    @property
    def architecture(self) -> str:
        named = self.top.get("architectures") or self.text.get("architectures")
        if not isinstance(named, list) or not named or not isinstance(named[0], str):
            raise UserError(
                "`architectures` is missing",
                where=self.where,
                fix='Add it, such as "architectures": ["LlamaForCausalLM"].',
            )
        return named[0]


def _positions(said: _Config, tokenizer: Json) -> int:
    """Positions the model can take: as configured, or further by YaRN, as vLLM derives them."""
    positions = said.integer("max_position_embeddings")
    if positions is None:
        positions = _plausible(tokenizer.get("model_max_length"))
        if positions is None:
            return said.needed("max_position_embeddings")
        said.notes.append(f"config.json says no max_position_embeddings; the tokenizer's {positions:,} are taken.")
    rope = said.get("rope_scaling") or said.get("rope_parameters") or {}
    if isinstance(rope, dict) and (rope.get("rope_type") or rope.get("type")) == "yarn":
        original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
        if isinstance(original, int) and isinstance(factor, (int, float)) and original * factor > positions:
            positions = int(original * factor)
            said.notes.append(f"YaRN stretches {original:,} positions to {positions:,}, at some cost to short prompts.")
    return positions


def _plausible(length: Any) -> int | None:
    """A tokenizer's model_max_length; it is absurd (10³⁰) where nobody set it."""
    return int(length) if isinstance(length, (int, float)) and 1 <= length <= 10**8 else None


def _context(positions: int, tokenizer: Json, notes: list[str]) -> int:
    limit = _plausible(tokenizer.get("model_max_length"))
    if limit is None or limit >= positions:
        return positions
    notes.append(f"the tokenizer is set to {limit:,} tokens, config.json to {positions:,}; the smaller is taken.")
    return limit


def _quantization(place: _Place, names: frozenset[str], said: _Config) -> dict[str, Any]:
    stated = said.get("quantization_config") or said.get("compression_config")
    if isinstance(stated, dict):
        if not stated.get("quant_method"):
            said.notes.append("quantization_config names no quant_method: vLLM may need `quantization` set.")
        return stated
    if "hf_quant_config.json" in names and not place.only_config:  # NVIDIA ModelOpt's own file
        return {"quant_method": "modelopt"}
    return {}


def _architecture(
    said: _Config, positions: int, tensors: Mapping[str, _Tensor] | None, quant_method: str | None
) -> Architecture:
    hidden, heads = said.needed("hidden_size"), said.needed("num_attention_heads")
    latent, rope_dim = said.integer("kv_lora_rank"), said.integer("qk_rope_head_dim")
    if latent:  # multi-head latent attention: a head has a part with and a part without positions
        head_dim: int | None = (said.integer("qk_nope_head_dim") or 0) + (rope_dim or 0) or None
    else:
        head_dim = said.integer("head_dim")
    return Architecture(
        name=said.architecture,
        torch_dtype=_torch_dtype(said, tensors),
        hidden_size=hidden,
        intermediate_size=said.integer("intermediate_size") or said.integer("moe_intermediate_size") or 4 * hidden,
        num_hidden_layers=said.needed("num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=_kv_heads(said) or heads,
        head_dim=head_dim or max(1, hidden // heads),
        vocab_size=said.needed("vocab_size"),
        max_position_embeddings=positions,
        tie_word_embeddings=said.get("tie_word_embeddings") is True,
        kv_lora_rank=latent,
        qk_rope_head_dim=rope_dim,
        **_mamba(said, hidden),
        quant_method=quant_method,
    )


def _mamba(said: _Config, hidden: int) -> dict[str, int]:
    """The state of a hybrid's Mamba 2 layers; nothing for other models."""
    if said.architecture != "FalconH1ForCausalLM" and said.get("mamba_d_state") is None:
        return {}
    keys = ("mamba_d_state", "mamba_d_conv", "mamba_n_heads", "mamba_n_groups")
    state = {key: said.needed(key) for key in keys}
    # Null is transformers' way to leave the width to the factor, and "auto" the head's to the width.
    d_ssm = said.integer("mamba_d_ssm") or int(said.get("mamba_expand", 2) * hidden)
    d_head = None if said.get("mamba_d_head") == "auto" else said.integer("mamba_d_head")
    return {"mamba_d_ssm": d_ssm, **state, "mamba_d_head": d_head or max(1, d_ssm // state["mamba_n_heads"])}


def _kv_heads(said: _Config) -> int | None:
    # The first Falcons (7B): one head of keys and values, whatever num_kv_heads says.
    if said.get("multi_query") is True and not said.get("new_decoder_architecture"):
        return 1
    return said.integer("num_key_value_heads")


_DTYPES: dict[str, tuple[str, int]] = {"bfloat16": ("BF16", 2), "float16": ("F16", 2), "float32": ("F32", 4)}


def _torch_dtype(said: _Config, tensors: Mapping[str, _Tensor] | None) -> Dtype:
    stated = said.get("torch_dtype") or said.get("dtype")
    if isinstance(stated, str) and stated.removeprefix("torch.") in _DTYPES:
        return cast(Dtype, stated.removeprefix("torch."))
    found = _bytes_by_dtype(tensors or {})
    held = [name for name, (short, _) in _DTYPES.items() if short in found]
    dtype = max(held, key=lambda name: found[_DTYPES[name][0]], default="bfloat16")
    source = "the weights'" if held else "assumed"
    said.notes.append(f"config.json says {f'dtype {stated}' if stated else 'no dtype'}; {dtype} is {source}.")
    return cast(Dtype, dtype)


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _weights(
    place: _Place,
    said: _Config,
    architecture: Architecture,
    quantization: Json,
    tensors: Mapping[str, _Tensor] | None,
) -> tuple[Weights, str]:
    """Return the weights, and how sure they are where the files do not say it themselves."""
    counted = _count(architecture, said)
    if tensors is None:
        if counted is None:
            raise UserError(
                f"the parameters of {architecture.name} cannot be computed from its configuration alone",
                where=place.where(CONFIG),
                fix="Give a folder with its safetensors, or its hub id: their headers say it.",
            )
        weights = Weights(parameters=sum(counted), bytes=_computed_bytes(place, architecture, quantization, *counted))
        return weights, "parameters and bytes computed from config.json"
    parameters, exact = _parameters(tensors, quantization)
    confidence = ""
    if not exact:
        parameters = sum(counted) if counted else parameters
        confidence = "parameters computed from config.json" if counted else "parameters estimated from packed tensors"
        said.notes.append(f"weights are packed: their bytes are exact, {confidence}.")
    elif counted and not quantization and abs(parameters - sum(counted)) > 0.02 * sum(counted):
        said.notes.append(
            f"the weights hold {parameters / 1e9:.3f} billion parameters, config.json makes {sum(counted) / 1e9:.3f}: "
            "do they belong together?"
        )
    return Weights(parameters=parameters, bytes=_bytes_by_dtype(tensors)), confidence


def _bytes_by_dtype(tensors: Mapping[str, _Tensor]) -> dict[str, int]:
    """Bytes by dtype, most first."""
    found: dict[str, int] = {}
    for tensor in tensors.values():
        found[tensor.dtype] = found.get(tensor.dtype, 0) + tensor.bytes
    return {dtype: size for dtype, size in sorted(found.items(), key=lambda item: (-item[1], item[0])) if size}


# What quantization adds beside the weights: the last part of such tensors' names.
_SCALES = re.compile(
    r"(scales?|scale_inv|weight_scale_2|qzeros|zeros|zero_point|g_idx|weight_shape|absmax|quant_map)$|quant_state"
)


def _parameters(tensors: Mapping[str, _Tensor], quantization: Json) -> tuple[int, bool]:
    """Return the parameters, and whether that is exact. Packed tensors hold several in one element."""
    if not quantization:
        return sum(tensor.elements for tensor in tensors.values()), True
    bits = _bits(quantization) or 4
    width = {"I32": 32, "I64": 64, "U8": 8}
    total, exact = 0, True
    for name, tensor in tensors.items():
        if _SCALES.search(name):
            continue
        packed = width.get(tensor.dtype)
        total += tensor.elements * packed // bits if packed else tensor.elements
        exact = exact and not packed
    return total, exact


def _bits(quantization: Json) -> int | None:
    """Bits of a quantized weight, in the words of the methods that say it."""
    groups = quantization.get("config_groups")
    grouped = [
        group["weights"].get("num_bits")
        for group in (groups.values() if isinstance(groups, dict) else ())
        if isinstance(group, dict) and isinstance(group.get("weights"), dict)
    ]
    four = 4 if quantization.get("load_in_4bit") else 8 if quantization.get("load_in_8bit") else None
    for bits in (quantization.get("bits"), quantization.get("w_bit"), *grouped, four):
        if isinstance(bits, int) and 1 <= bits <= 16:
            return bits
    return 8 if "fp8" in str(quantization.get("quant_method")) else None


def _computed_bytes(
    place: _Place, architecture: Architecture, quantization: Json, linear: int, other: int
) -> dict[str, int]:
    """Bytes by dtype of weights that are not there: linear layers quantized, the rest in the model's type."""
    short, width = _DTYPES[architecture.torch_dtype]
    if not quantization:
        return {short: (linear + other) * width}
    bits = _bits(quantization)
    if bits is None:
        raise UserError(
            f"the bytes of {architecture.quant_method or 'quantized'} weights cannot be computed from config.json",
            where=place.where(CONFIG),
            fix="Give a folder with its safetensors, or its hub id: their headers say it.",
        )
    if bits == 8:
        return {"I8" if "fp8" not in str(architecture.quant_method) else "F8_E4M3": linear, short: other * width}
    group = quantization.get("group_size") or quantization.get("q_group_size")
    group = group if isinstance(group, int) and group > 0 else 128
    # A group of weights has a scale of 16 bits and a zero point of as many bits as a weight.
    return {"I32": linear * bits // 8 + linear // group * bits // 8, short: other * width + linear // group * 2}


_COUNTED = {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "FalconH1ForCausalLM"}


def _count(a: Architecture, said: _Config) -> tuple[int, int] | None:
    """Return the parameters of linear layers and all others, or None where the architecture's form is not known here.

    Formulas: the modules of transformers' modeling files for these architectures (`models/llama`, `qwen2`, `qwen3`,
    `falcon_h1`), summed up.
    """
    if a.name not in _COUNTED:
        return None
    queries, keys = a.num_attention_heads * a.head_dim, a.num_key_value_heads * a.head_dim
    attention = a.hidden_size * (2 * queries + 2 * keys)
    mlp = 3 * a.hidden_size * a.intermediate_size
    other = 2 * a.hidden_size  # norms
    if a.name == "Qwen2ForCausalLM":
        other += queries + 2 * keys
    elif said.get("attention_bias") is True:
        other += queries + 2 * keys + a.hidden_size
    if said.get("mlp_bias") is True:
        other += 2 * a.intermediate_size + a.hidden_size
    if a.name == "Qwen3ForCausalLM":
        other += 2 * a.head_dim  # norms of queries and keys
    mixer = 0
    if a.name == "FalconH1ForCausalLM":
        mixer, beside = _count_mixer(a, said)
        other += beside
    embeddings = a.vocab_size * a.hidden_size * (1 if a.tie_word_embeddings else 2)
    return a.num_hidden_layers * (attention + mlp + mixer), a.num_hidden_layers * other + embeddings + a.hidden_size


def _count_mixer(a: Architecture, said: _Config) -> tuple[int, int]:
    """Parameters of one Mamba 2 mixer: its projections, and the rest (convolution, A, D, dt, biases, norm)."""
    d_ssm, heads = a.mamba_d_ssm or 0, a.mamba_n_heads or 0
    width = d_ssm + 2 * (a.mamba_n_groups or 0) * (a.mamba_d_state or 0)
    into = d_ssm + width + heads
    rest = width * (a.mamba_d_conv or 0) + 3 * heads
    if said.get("mamba_conv_bias", True):
        rest += width
    if said.get("mamba_proj_bias"):
        rest += into
    if said.get("projectors_bias"):
        rest += a.hidden_size
    if said.get("mamba_rms_norm"):
        rest += d_ssm
    return a.hidden_size * (into + d_ssm), rest


def _worth_knowing(
    place: _Place, said: _Config, architecture: Architecture, *, weights_are_there: bool
) -> Iterator[str]:
    if place.gated():
        yield "gated: workers need a token of an account that accepted the license (a Secret, `existingSecret`)."
    if place.revision is None and weights_are_there:
        yield "`source` is a path on this machine: give the workers the same path, or put a hub id or bucket there."
    elif place.revision is None:
        yield "no weights are there: set `source` to where they are served from."
    if architecture.name not in _COUNTED:
        if not architecture.kv_lora_rank:
            yield f"{architecture.name}: cache estimated as full attention in every layer, which may be too much."
        if said.top.get("auto_map") or said.text.get("auto_map"):
            yield (
                f"its repository brings code (`auto_map`): if vLLM has no {architecture.name} of its own, the model "
                "needs `trustRemoteCode: <why you trust it>`."
            )
    if architecture.quant_method:
        yield f"quantized with {architecture.quant_method}: check that the pool's GPUs can run it."
