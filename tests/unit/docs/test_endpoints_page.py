"""docs/endpoints.md tells every route of the data, of the models and on the paths that have it, with a request each."""

from __future__ import annotations

import re

import pytest

from tests.support.endpoints_page import Row, page, requests, rows
from tests.support.reachable import reachable, routes, routes_by_what_a_model_does

KINDS = {kind: {*row["routes"]} for kind, row in routes_by_what_a_model_does().items()}
ANY = "does anything"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.paths[0])
def test_a_row_says_what_the_data_says(row: Row) -> None:
    for path in row.paths:
        kinds = {kind for kind, paths in KINDS.items() if path in paths}
        throughput = path in routes("2.60.0 throughput")
        assert row.on == (
            path in routes("2.49.1 standard"),
            path in routes("2.60.0 standard"),
            throughput or bool(kinds),
        )
        assert row.does == (kinds or {ANY})


def test_every_route_is_told() -> None:
    every = {path for paths in [*reachable()["routes"].values(), *KINDS.values()] for path in paths}

    assert {path for path in every if f"`{path}`" not in page()} == set()


def test_every_row_has_a_request() -> None:
    asked = {re.sub(r"^/v1/models/.*", "/v1/models/{model:path}", request.path) for request in requests()}

    assert [row.paths for row in rows() if not asked & {*row.paths}] == [("/v1/realtime",)], "a WebSocket has none"


def test_what_is_said_not_to_be_there_is_not() -> None:
    told = re.findall(r"`(/v1/[^`]+)`", page().partition("- OpenAI's ")[2].partition(", on either path")[0])
    every = {path for paths in [*reachable()["routes"].values(), *KINDS.values()] for path in paths}

    assert len(told) == 10
    assert [path for path in told if path in every] == []
