"""What a hub says of a model, as the prefetch Job reads it: downloaded, into its cache alone, or a reason in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from hypothesis import strategies as st

from generator.redaction import for_chart
from tests.support.chart_scripts import chart_script
from tests.support.fuzzing import Record, check_printable, fuzz
from tests.support.hub_stand_in import HubStandIn, Repository, about
from tests.support.mutations import damaged, mutated
from tests.support.secrets import SHAPED

NAME = "team/model"
WORDS = json.dumps({"timeoutSeconds": 60, "listSeconds": 30, "hidden": for_chart()["hidden"]})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """On a hub of this machine, to which the library's cache and addresses lead."""
    hub = HubStandIn()
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    hub.repositories[NAME] = Repository({"config.json": b"{}", "model.safetensors": b"0" * 100})
    return hub.repositories[NAME]


def test_what_a_hub_says_of_a_model(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property: Record
) -> None:
    prefetch = chart_script("prefetch")

    def reason(body: bytes) -> str:
        repository.about = body
        code = prefetch.main([WORDS, NAME])
        said = capsys.readouterr().out
        check_printable(said)
        assert SHAPED["hub"] not in said and "Traceback" not in said, said
        assert {path.name for path in tmp_path.iterdir()} <= {"cache"}
        last = said.splitlines()[-1]
        assert last.startswith("error: ") if code else "in the cache" in last, said
        return last if code else ""

    whole = about(NAME, repository)
    whole["tags"] = [f"token {SHAPED['hub']}"]
    assert reason(json.dumps(whole).encode()) == ""
    bodies = st.one_of(
        mutated([whole]).map(lambda each: json.dumps(each).encode()),
        damaged([json.dumps(whole)]).map(lambda text: text.encode(errors="surrogatepass")),
    )
    fuzz(bodies, reason, record=record_property, examples=30, slow=10)
