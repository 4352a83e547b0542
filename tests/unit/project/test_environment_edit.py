"""What `add --environment` does to an environment that people have written."""

from __future__ import annotations

import pytest
import yaml

from generator.errors import UserError
from generator.project.environment_edit import serve_model

HEAD = "namespace: ai  # ours\nray: 2.60.0\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "serve:\n  qwen3:\n    models:\n      qwen3-8b:"),
        ("serve: {}\n", "serve:\n  qwen3:\n    models:\n      qwen3-8b:\n"),
        ("serve: {}  # nothing yet\n", "serve:  # nothing yet\n  qwen3:\n    models:\n      qwen3-8b:\n"),
        ("serve:\nchart: {}\n", "serve:\n  qwen3:\n    models:\n      qwen3-8b:\nchart: {}\n"),
        (
            "serve:\n  falcon3: {}\nchart: {}\n",
            "serve:\n  falcon3: {}\n  qwen3:\n    models:\n      qwen3-8b:\nchart: {}\n",
        ),
        (
            "serve:\n    qwen3:\n        models:\n            qwen3-4b: {context: 100}\n            # small\n",
            "serve:\n    qwen3:\n        models:\n            qwen3-4b: {context: 100}\n            qwen3-8b:\n"
            "            # small\n",
        ),
    ],
    ids=["none", "empty", "comment", "null", "another", "beside"],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_one_more_model_is_served_and_the_rest_stays(before: str, after: str, line_break: str) -> None:
    text = (HEAD + before).replace("\n", line_break)

    edited = serve_model(text, family="qwen3", model_id="qwen3-8b", where="environments/e.yaml")

    assert edited.rstrip() == (HEAD + after).replace("\n", line_break).rstrip()


@pytest.mark.parametrize("serve", ["serve: {falcon3: {}}\n", "serve:\n  qwen3: {}\n"])
def test_what_only_a_person_can_edit_is_left_to_one(serve: str) -> None:
    """The last is of an environment whose base names the family's models, so that nothing means all of these."""
    text = HEAD + serve

    with pytest.raises(UserError) as refused:
        serve_model(text, family="qwen3", model_id="qwen3-8b", where="environments/e.yaml")

    assert "environments/e.yaml: is written in a way that cannot be edited safely" in str(refused.value)
    assert yaml.safe_load(str(refused.value).split("below `serve:`")[1]) == {"qwen3": {"models": {"qwen3-8b": None}}}
