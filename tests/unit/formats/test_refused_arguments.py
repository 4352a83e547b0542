"""Engine arguments that open routes or files to clients are refused, however a path is written."""

from __future__ import annotations

import pytest

from generator.documents.load import Origin, dump_yaml
from generator.errors import UserErrors
from generator.formats.check import check_document
from tests.support.media_folders import HARMLESS, REACHING


def check(folder: str) -> None:
    config = {"model_loading_config": {"model_source": "a/b"}, "engine_kwargs": {"allowed_local_media_path": folder}}
    data = {"models": {"m": {"family": "f", "llmConfig": config}}}
    check_document(data, "values", Origin("file.yaml", dump_yaml(data)))


@pytest.mark.parametrize("folder", REACHING)
def test_a_folder_with_more_than_media(folder: str) -> None:
    with pytest.raises(UserErrors) as raised:
        check(folder)
    assert "'allowed_local_media_path' is not accepted: every client may read the pod's files" in str(raised.value)


@pytest.mark.parametrize("folder", HARMLESS)
def test_a_folder_of_media(folder: str) -> None:
    check(folder)
