"""Texts in the shape of secrets. None opens anything; each is put together here, so that no scanner takes it up."""

from __future__ import annotations

from hypothesis import strategies as st

_LONG = "aB3dE6gH9j" * 8

SHAPED: dict[str, str] = {
    "hub": f"hf_{_LONG[:34]}",
    "organisation of the hub": f"api_org_{_LONG[:34]}",
    "OpenAI": f"sk-proj-{_LONG[:40]}",
    "of a proxy of OpenAI's": f"sk-{_LONG[:12]}",
    "Anthropic": f"sk-ant-api03-{_LONG[:40]}",
    "NVIDIA": f"nvapi-{_LONG[:60]}",
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "AWS, for a session": "ASIA" + "IOSFODNN7EXAMPLE",
    "Google": f"AIza{_LONG[:35]}",
    "Azure": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={_LONG[:64]}==;EndpointSuffix=core.windows.net",
    "GitHub": f"ghp_{_LONG[:36]}",
    "GitHub, fine-grained": f"github_pat_{_LONG[:22]}_{_LONG[:59]}",
    "GitLab": f"glpat-{_LONG[:20]}",
    "Slack": f"xoxb-{'1' * 12}-{_LONG[:24]}",
    "npm": f"npm_{_LONG[:36]}",
    "Groq": f"gsk_{_LONG[:52]}",
    "Replicate": f"r8_{_LONG[:37]}",
    "Vault": f"hvs.{_LONG[:80]}{_LONG[:12]}",
    "SendGrid": f"SG.{_LONG[:22]}.{_LONG[:43]}",
    "Doppler": f"dp.pt.{_LONG[:43]}",
    "curl": f"curl -u admin:{_LONG[:10]} https://host",
    "curl, in full": f"--user=admin:{_LONG[:10]}",
    "JSON Web Token": f"eyJ{_LONG[:20]}.eyJ{_LONG[:40]}.{_LONG[:43]}",
    "private key": f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{_LONG}\n-----END RSA {'PRIVATE'} KEY-----",
    "signed by AWS": f"https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={'0f' * 32}",
    "signed by Azure": f"https://a.blob.core.windows.net/c/b?sv=2024&sig={_LONG[:43]}%3D",
    "address": f"https://user:{_LONG[:12]}@host/path",
    "address of a bucket": f"s3://user:{_LONG[:10]}/{_LONG[:10]}+{_LONG[:10]}@bucket/model",
    "address without a user": f"redis://:{_LONG[:8]}@host:6379/0",
    "address with digits": "redis://:73914286@host:6379/0",
    "address with digits and a user": "https://user:73914286@host/path",
    "address of an image": f"user:{_LONG[:12]}@registry.example.com:5000/ray/ray-llm",
    "address with a token alone": f"git+https://{_LONG[:40]}@github.com/org/code",
    "login": f"Bearer {_LONG[:24]}",
    "login, of old": "Basic " + "dXNlcjpwYXNzd29yZA==",
}
"""By what they look like."""

NAMES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "hfToken", "OPENAI_API_KEY", "apiKey", "x-api-key", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "PGPASSWORD", "DB_PASS", "MY_SECRET_VALUE", "clientSecret",
    "SECRET_KEY", "ssl_keyfile_password", "GITHUB_PAT", "credentials", "authorization", "passphrase", "SLACK_BOT_TOKEN",
    "ADMIN_TOKEN", "BACKEND_TOKEN", "HF_TOKEN_2", "OPENAI_KEY", "WANDB_KEY", "pwd", "Pwd", "Ocp-Apim-Subscription-Key",
)  # fmt: skip
"""Keys below which a text is a secret."""

HARMLESS: dict[str, str | list[str]] = {
    "tokenizer": "org/tokenizer",
    "TOKENIZERS_PARALLELISM": "false",
    "max_tokens": "4096",
    "MAX_TOKEN": "lots of them",
    "eos_token": "end-of-text",
    "separator_token": "|",
    "password_policy": "strong",
    "image_token": "img",
    "secondsPerToken": "a tenth",
    "secretName": "hub",
    "DB_PASSWORD_FILE": "/run/secrets/db",
    "VAULT_SECRET_PATH": "secret/data/hub",
    "GOOGLE_APPLICATION_CREDENTIALS": "/var/run/gcp/key.json",
    "AWS_ACCESS_KEY_ID": "$(ID)",
    "vault.hashicorp.com/agent-inject-secret-hub-token": "secret/data/hub",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "KEY": "value",
    "compass": "north",
    "PWD": "/home/ray",
    "command": "serve --api-key $KEY --token ${TOKEN} --hf-token <yours> --max-token 5 --api-key --port 8000",
    "variables": "HF_TOKEN=$(OTHER) MAX_TOKENS=5 PWD=/home/ray eos_token=end OPENAI_API_KEY=EMPTY",
    "template": "{% set token = message.token %}{{ bos_token }}{% if a == b %}",
    "image": "oci://registry:5000/org/image:1@sha256:0f0f",
    "model_source": "abfss://container@account.dfs.core.windows.net/model",
    "working_dir": "git+ssh://git@github.com/org/code",
    "url": "http://host:8000/users/@me",
    "hf_overrides_of_the_model": "hf_overrides",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "digest": "sha256:" + "0f" * 32,
    "checksum/secret": "0f" * 32,
    "secret-hash": "0f" * 32,
    "owner": "team:ml@corp.com/ops",
    "owners": "team:research@corp.com/ops",
    "address of a manual": "curl https://user:pass@host/x https://username:password@host:8000/",
    "token of a manual": "hf_" + "x" * 34,
    "ENCRYPTION_KEY": "alias/my-key",
    "KMS_ENCRYPTION_KEY": "arn:aws:kms:eu-west-1:111122223333:key/0f0f",
    "sentence_token": "[SEP]",
    "a token of a tokenizer": '{"cls_token": "[CLS]", "special_secret_token": "<s>", "page_token": "abcd1234efgh"}',
    "arguments of Docker": ["docker", "run", "--user", "ray:users", "-u", "1000:100", "image"],
    "container of Docker": "docker run --user ray:users -u 1000:100 image",
    "sentence": "password: the user's own; token: see RFC 6750; secret: in vault-2; api_key: $API_KEY, token: <yours>",
    "header": "Authorization: Bearer $TOKEN and Authorization: Bearer <token>",
    "where it is": "secret: projects/12/secrets/hub-token-1 password: arn:aws:secretsmanager:eu-west-1:1:secret:x",
    "JSON": '{"token": "$TOKEN", "api_key": "", "max_token": 5, "eos_token": "</s>", "secret": {"a1": "b2"}}',
    "disk-name": "risk-of-a-very-long-name-that-is-none",
}
"""Texts that are none, by keys of the kind."""

WRITTEN = {
    "--api-key": ["serve", "--api-key", "correct-horse"],
    "login of a list": ["curl", "-u", "admin:correct-horse9", "https://host"],
    "login of a list, in full": ["curl", "--proxy-user", "admin:correct-horse9"],
    "list in a text": "['curl', '-u', 'admin:correct-horse9']",
    "-password": ["-password", "correct-horse", "--port", "8000"],
    "--hf-token=": ["--hf-token=correct-horse"],
    "one text": "vllm serve --port 8000 --api-key correct-horse",
    "quoted": 'serve --api-key "correct-horse"',
    "variable": ["env", "HF_TOKEN=correct-horse", "serve"],
    "variable after an option": ["--env", "x", "--env HF_TOKEN=correct-horse"],
    "list of a connection": "Server=db;Uid=root;Password=correct-horse;Pooling=true",
    "query": "s3://bucket/model?region=eu&secret_key=correct-horse",
    "JSON": '{"a": "b", "api_key": "correct-horse"}',
    "JSON in JSON": r'{"a": "{\"api_key\": \"correct-horse\"}"}',
    "Python": "{'password': 'correct-horse'}",
    "YAML": "a: b\npassword: correct-horse9\n",
    "YAML in a line": "{a: b, password: correct-horse9}",
    "sentence": "password: correct-horse9",
    "header": "--header=Authorization: Bearer correct-horse9",
    "variable of a line": "export A=1; HF_TOKEN='correct-horse' serve",
}
"""Texts and lists that give a secret to an option or to a variable."""

PLACEHOLDERS = ("", " ", "$(OTHER)", "${OTHER}", "$OTHER", "<your token>", "{{ .token }}", "***", "xxxx", "EMPTY",
                "None", "true", "changeme", "change-me", "your-token-here", "0", "4096",
                "sk-no-key-required", "no-key", "[SEP]", "alias/my-key", "Bearer $(OTHER)",
                "Bearer <token>")  # fmt: skip
"""What may stand below a name of NAMES."""

words = st.text("abcXYZ019-_.+/~!?é", min_size=1, max_size=30).filter(lambda text: any(c.isalnum() for c in text))
"""Passwords that no shape gives away."""
