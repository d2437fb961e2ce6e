import json
import os
from pathlib import Path

import pytest

from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.settings import Settings, env_name, load_settings

SECRET = "a-secret-that-nobody-may-see"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("VECTRAHUB_"):
            monkeypatch.delenv(name)


def load(tmp_path, config="", secrets="", environ=None):
    paths = []
    for name, text in (("config.toml", config), ("secrets.toml", secrets)):
        paths.append(tmp_path / name)
        if text:
            paths[-1].write_text(text, encoding="utf-8")
    return load_settings(*paths, **({"environ": environ} if environ is not None else {}))


def test_without_files_everything_has_a_value(tmp_path):
    settings = load(tmp_path)
    assert settings == Settings() and settings.enabled and settings.auth.trust_loopback
    assert not any(one["enabled"] for one in settings.contracts.model_dump().values())
    assert settings.urls.allow == settings.urls.internal == ()


def test_the_file_counts_and_the_environment_more(tmp_path, monkeypatch):
    monkeypatch.setenv("VECTRAHUB_LIMITS__QUEUE", "7")
    monkeypatch.setenv("VECTRAHUB_URLS__ALLOW", '["a.example", "*.b.example"]')
    settings = load(tmp_path, "node_id = 'n'\n[limits]\nqueue = 5\nper_token = 4\n")
    assert (settings.limits.queue, settings.limits.per_token, settings.node_id) == (7, 4, "n")
    assert settings.urls.allow == ("a.example", "*.b.example")


def test_a_section_may_come_from_the_environment_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("VECTRAHUB_CONTRACTS__LOGO__ENABLED", "true")
    monkeypatch.setenv("VECTRAHUB_SECRETS__TOKENS", json.dumps({"shop": {"secret": SECRET, "scopes": ["models"]}}))
    settings = load(tmp_path)
    assert settings.contracts.logo.enabled and settings.contracts.logo.max_concurrent_jobs == 2
    token = settings.secrets.tokens["shop"]
    assert token.secret.get_secret_value() == SECRET and token.scopes == {"models"}


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("[limits]\nqueue = 0", "limits.queue", "'0'"),
        ("[limits]\nqueu = 5", "limits.queu", "'5'"),
        ("[limits]\njson_depth = 501", "limits.json_depth", "'501'"),
        ("[auth]\ntrust_loopback = 'perhaps'", "auth.trust_loopback", "'perhaps'"),
        ("[log]\nformat = 'xml'", "log.format", "'xml'"),
        ("node_id = ''", "node_id", "''"),
        ("[contracts.vton]\nmode = 'gguf'", "contracts.vton.mode", "'gguf'"),
        ("limits = 5", "limits", "'5'"),
    ],
)
def test_what_is_wrong_is_named_with_its_variable(tmp_path, text, place, value):
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert f"{place}: " in message and f"(it is {value})" in message and env_name(place.split(".")) in message


def test_all_that_is_wrong_is_named_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"limits\.queue.*limits\.per_token"):
        load(tmp_path, "[limits]\nqueue = 0\nper_token = 0\n")


def test_a_variable_that_is_no_json_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VECTRAHUB_LIMITS", "{")
    with pytest.raises(UsageError, match=r"(?i)limits"):
        load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        f"[tokens.shop]\nsecret = '{SECRET[:10]}'",
        f"[tokens.shop]\nsecret = '{SECRET}'\nscopes = ['root']",
        f"callbacks = ['{SECRET}']",
        f"callback = '{SECRET}'",
        f"tokens = '{SECRET}'",
        f"[tokens]\nshop = '{SECRET}'",
        f"callbacks = '{SECRET}",
    ],
)
def test_a_wrong_secret_is_not_shown(tmp_path, text):
    with pytest.raises(UsageError) as caught:
        load(tmp_path, secrets=text)
    assert SECRET[:10] not in str(caught.value) and "secrets" in str(caught.value)


def test_a_secret_in_the_environment_is_not_shown_either(tmp_path, monkeypatch):
    monkeypatch.setenv("VECTRAHUB_SECRETS", f'{{"callback": "{SECRET}"}}')
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert SECRET not in str(caught.value)


def test_a_secret_in_the_environment_that_is_no_json_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("VECTRAHUB_SECRETS__TOKENS", f'{{"shop": {SECRET}')
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert SECRET not in str(caught.value)


def test_secrets_do_not_belong_into_the_other_file(tmp_path):
    with pytest.raises(UsageError, match=r"secrets do not belong there") as caught:
        load(tmp_path, f"[secrets]\nlinks = '{SECRET}'")
    assert SECRET not in str(caught.value)


def test_secrets_are_not_shown_by_the_settings(tmp_path):
    settings = load(tmp_path, secrets=f"links = '{SECRET}'\n[tokens.shop]\nsecret = '{SECRET}'")
    assert SECRET not in repr(settings) and SECRET not in settings.model_dump_json()


def test_the_old_servers_names_count_unless_the_files_say_otherwise(tmp_path):
    old = {"APP_BASE_URL": "https://app.example", "FILE_PROXY_SECRET": SECRET}
    settings = load(tmp_path, environ=old)
    assert settings.contracts.vectrahub.app_base_url == "https://app.example"
    assert settings.secrets.links.get_secret_value() == SECRET
    ours = load(tmp_path, "[contracts.vectrahub]\napp_base_url = 'https://ours.example'", environ=old)
    assert ours.contracts.vectrahub.app_base_url == "https://ours.example"


@pytest.mark.parametrize("text", ["[limits", "a = \xff", "a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_named(tmp_path, text):
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"config\.toml"):
        load_settings(tmp_path / "config.toml")


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings().limits.queue = 3


@pytest.mark.parametrize("name", ["VECTRAHUB_AUT__GUARD_HOST", "VECTRAHUB_LIMIT__QUEUE"])
def test_a_variable_that_sets_nothing_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "true")
    with pytest.raises(UsageError, match=f"{name} sets nothing.*AUTH"):
        load_settings()


@pytest.mark.parametrize("text", ["[callbacks]\npauses_s = [-1]\n", 'public_url = "ftp://example.org"\n'])
def test_values_that_could_not_work_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError, match=r"callbacks\.pauses_s|public_url"):
        load_settings(tmp_path / "config.toml")
