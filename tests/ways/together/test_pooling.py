"""Embeddings, scores and rerankings are what transformers computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from generator.local.ray import Running
from tools.tiny_checkpoints import ANSWERS

CHECKPOINTS = ("embedder", "reranker")
MODELS = ("embedder", "reranker")
QUESTION = "Why is the sky blue?"
TEXTS = list(ANSWERS.values())
NEAR = 2e-3


def ask(serving: Running, model: str, path: str, **body: Any) -> Any:
    answer = httpx.post(f"{serving.routes[model]}/{path}", json={"model": model, **body}, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def scores(workdir: Path) -> list[float]:
    """Of every text for the question."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = workdir / "checkpoints" / "reranker"
    words, network = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        logits = network(**words([QUESTION] * len(TEXTS), TEXTS, padding=True, return_tensors="pt")).logits
    return logits[:, 0].sigmoid().tolist()


def test_an_embedding_is_that_of_transformers(clients: dict[str, openai.OpenAI], workdir: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = workdir / "checkpoints" / "embedder"
    words, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        first = network(**words(QUESTION, return_tensors="pt")).last_hidden_state[0, 0]
    expected = torch.nn.functional.normalize(first, dim=0).tolist()

    answer = clients["embedder"].embeddings.create(model="embedder", input=QUESTION, encoding_format="float")

    assert answer.data[0].embedding == pytest.approx(expected, abs=NEAR)


def test_scores_are_those_of_transformers(serving: Running, scores: list[float]) -> None:
    answer = ask(serving, "reranker", "score", text_1=QUESTION, text_2=TEXTS)

    assert [each["score"] for each in answer["data"]] == pytest.approx(scores, abs=NEAR)


def test_the_right_text_is_ranked_first(serving: Running, scores: list[float]) -> None:
    answer = ask(serving, "reranker", "rerank", query=QUESTION, documents=TEXTS, top_n=2)

    best = answer["results"][0]
    assert best["document"]["text"] == ANSWERS[QUESTION]
    assert best["relevance_score"] == pytest.approx(max(scores), abs=NEAR)
    assert len(answer["results"]) == 2
