"""What looks like a secret is hidden in every message, and what does not is left as it is."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UserError, UserErrors
from generator.ray_messages import root_cause
from generator.redaction import redact, redact_shapes
from tests.support.chart_scripts import chart_script
from tests.support.secrets import NAMES, SHAPED, words

PASSWORD = "correct-Horse+battery/9"
HOLDERS: dict[str, Callable[[str], str]] = {
    "Bearer": lambda text: f"Authorization: Bearer {text}",
    "bearer alone": lambda text: f"401 for bearer {text}.",
    "Basic": lambda text: "Authorization: Basic " + base64.b64encode(f"user:{text}".encode()).decode(),
    "another login": lambda text: f"'Authorization': 'Token {text}'",
    "cookie": lambda text: f"Set-Cookie: session={text}; Path=/",
    "equals": lambda text: f"env PASSWORD={text} ray start",
    "quoted": lambda text: f'api_key="{text}"',
    "JSON": lambda text: json.dumps({"a": 1, "token": text, "b": 2}),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"token": text})),
    "Python": lambda text: repr({"HF_TOKEN": text, "B": 2}),
    "option": lambda text: f"vllm serve --api-key {text} --port 8000",
    "option with equals": lambda text: f"vllm serve --hf-token={text}",
    "YAML": lambda text: f"env:\n  AWS_SECRET_ACCESS_KEY: {text}\n",
    "query": lambda text: f"GET https://hub/x?token={text}&y=1",
    "AWS": lambda text: f"https://b/k?X-Amz-Signature={text}&X-Amz-Date=1",
    "Azure": lambda text: f"https://b/k?sv=1&sig={text}",
    "address": lambda text: f"redis://:{text}@host:6379/0 refused",
    "password of a database": lambda text: f"Server=db;Uid=root;Pwd={text}",
    "short names": lambda text: f"user=ray pass={text} pwd={text}",
    "list of Python's": lambda text: f"non-default args: {{'api_key': ['other', {text!r}], 'port': 1}}",
    "arguments of a command": lambda text: f"Command '['vllm', 'serve', '--api-key', {text!r}]' returned 1",
    "quoted option": lambda text: f"'--api-key {text}'",
    "header in a tuple": lambda text: f"('x-api-key', {text!r})",
    "header of Azure": lambda text: f"Ocp-Apim-Subscription-Key: {text}",
    "XML": lambda text: f"<SessionToken>{text.replace('<', '')}</SessionToken>",
    "variable of Kubernetes": lambda text: f"{{'name': 'HF_TOKEN', 'value': {text!r}, 'value_from': None}}",
    "the same in YAML": lambda text: f"- name: HF_TOKEN\n  value: {text}",
    "pydantic": lambda text: f"1 error for A\nhf_token\n  Not a string [type=x, input_value={text!r}, input_type=str]",
    "curl": lambda text: f"curl -u ray:{text} https://host",
    "user's address": lambda text: f"cannot reach https://user:{text}@host/path",
}
"""Texts of others with a secret in them."""


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_secret_is_hidden(holder: str) -> None:
    text = HOLDERS[holder](PASSWORD)
    hidden = redact(text)
    assert "***" in hidden
    for secret in (PASSWORD, base64.b64encode(f"user:{PASSWORD}".encode()).decode(), "battery"):
        assert secret not in hidden


@pytest.mark.parametrize(
    "text",
    [
        "Invalid token aB3dE6gH9j",
        "401: invalid token 'aB3dE6gH9j'.",
        "Incorrect API key provided: aB3dE6gH9j.",
        "Invalid user token aB3dE6gH9j",
        "The token `aB3dE6gH9j` is not valid",
        "password 'aB3dE6gH9j' was refused",
        "unknown key sk-aB3dE6gH9j",
    ],
)
def test_what_a_server_echoes_of_a_wrong_one_is_hidden(text: str) -> None:
    assert "aB3dE6gH9j" not in redact(text) and "***" in redact(text)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(HOLDERS)), words, st.text(max_size=30), st.text(max_size=30))
def test_planted_secrets_are_hidden(holder: str, secret: str, before: str, after: str) -> None:
    held = HOLDERS[holder](f"Qq{secret}Z9")  # of letters that no text around it has
    hidden = redact(f"{before}\n{held} {after}")
    assert f"Qq{secret}Z9" not in hidden
    assert base64.b64encode(f"user:Qq{secret}Z9".encode()).decode() not in hidden


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SHAPED)), st.text(max_size=30), st.sampled_from(["", " ", "\n", '"', "'", "=", "(", "/"]))
def test_planted_shapes_are_hidden(kind: str, around: str, beside: str) -> None:
    secret = SHAPED[kind]
    for hide in (redact, root_cause) if kind.startswith("login") else (redact, redact_shapes, root_cause):
        assert secret not in hide(f"{around} {beside}{secret}{beside if beside != '/' else ''} {around}")


@pytest.mark.parametrize("script", ["helm_test", "prefetch"])
def test_the_charts_pods_hide_the_same(script: str) -> None:
    texts = [f"before {text} after" for text in (*SHAPED.values(), *(hold(PASSWORD) for hold in HOLDERS.values()))]
    hide = chart_script(script).hide
    assert [hide(text) for text in texts] == [redact(text) for text in texts]


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_below_the_name_of_a_secret_is_hidden(name: str) -> None:
    for text in (f"{name}={PASSWORD}", f"{name}: {PASSWORD}", json.dumps({name: PASSWORD}), repr({name: PASSWORD})):
        assert PASSWORD not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=5 is more than max_num_batched_tokens: 4 (max_token: 3)",
        "hf_overrides: unknown key; hf_config_path=/models/x",
        "Unexpected token < in JSON at position 0",
        "Invalid token at position 50257 in JSON, invalid token id 128001, invalid token '<'",
        "invalid password was received, wrong api key: see the page; token '<|endoftext|>' is special",
        "first pass: loading, PWD=/home/ray, docker run -u 1000 x, unknown secret type",
        "Basic authentication failed: Bearer token is missing",
        "couldn't find key token in Secret ai/hub",
        'secret "hub" not found; secrets "hub" is forbidden',
        "huggingFace.existingSecret: hub is not there",
        "pad_token='<pad>' eos_token: <|end|> tokenizer=org/name tokenizer: slow",
        "abfss://container@account.dfs.core.windows.net/x, git+ssh://git@github.com/x, http://host:8000/v1?a=b",
        "ValueError: Unknown engine argument: max_model_length (mail@example.org, 2.60.0@sha256:0f0f)",
        "tiiuae/Falcon3-1B-Instruct at 0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_other_texts_are_left_as_they_are(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", [f"OSError: {holder(PASSWORD)}" for holder in HOLDERS.values()])
def test_what_is_hidden_once_stays(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_every_error_hides_what_it_quotes() -> None:
    token = SHAPED["hub"]
    error = UserError(
        f"'a' is '{token}'", where=f"https://user:pw1@host/{token}", fix=f"Quote it: `password: {token}`."
    )
    both = UserErrors([error, UserError("api_key: it is missing", where="pods.env.HF_TOKEN")])
    for told in (str(error), str(both), error.what, error.where, error.fix):
        assert token not in told and "pw1" not in told
    assert "pods.env.HF_TOKEN: api_key" in str(both)


@pytest.mark.parametrize(
    "piece", ["a", ".", "a.-", "://", "://a:", "--", "-----BEGIN X PRIVATE KEY-----", 'token="', 'token=\\"', "token "]
)
def test_a_long_message_takes_no_long_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 5
