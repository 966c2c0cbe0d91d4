"""The environment is read once, whole, and every fault in it is named without its value."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from workers.settings import Settings, WorkerSettings, read_settings, render_env_example

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for block in Settings.model_fields.values():
        for field in block.annotation.model_fields.values():  # type: ignore[union-attr]
            monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("SUPABASE_URL", "https://abc.supabase.co")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "sb_secret_abcdefgh")


def test_two_variables_are_enough() -> None:
    settings = read_settings()

    assert str(settings.supabase.url) == "https://abc.supabase.co/"
    assert settings.worker == WorkerSettings()
    assert settings.github.token is None


def test_production_notices_a_dead_worker_within_forty_seconds() -> None:
    worker = read_settings().worker

    assert worker.lease + 2 * worker.sweep_every <= timedelta(seconds=40)
    assert 2 * worker.renew_every <= worker.lease
    assert worker.cancel_poll < timedelta(seconds=2)


def test_every_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPABASE_URL")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "")

    with pytest.raises(ConfigurationError) as raised:
        read_settings()

    assert "SUPABASE_URL: missing" in str(raised.value)
    assert "SUPABASE_SERVICE_ROLE_KEY: missing" in str(raised.value)
    assert "emocare env" in str(raised.value)


def test_pages_and_sites_are_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPETITOR_PAGES", "https://a.fr/tarifs, https://b.fr,\n")
    monkeypatch.setenv("OWN_SITES", "nearvity = https://n.fr/?a=b , med-mng=https://m.fr")

    pages = read_settings().firecrawl

    assert [str(page) for page in pages.competitors] == ["https://a.fr/tarifs", "https://b.fr/"]
    assert {key: str(site) for key, site in pages.own_sites.items()} == {
        "nearvity": "https://n.fr/?a=b",
        "med-mng": "https://m.fr/",
    }
    assert pages.tech_watch == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUPABASE_URL", "my-secret-value"),
        ("COMPETITOR_PAGES", "my-secret-value"),
        ("OWN_SITES", "my-secret-value"),
        ("SUPABASE_SERVICE_ROLE_KEY", "two words-my-secret-value"),
        ("SUPABASE_SERVICE_ROLE_KEY", "clé-my-secret-value"),
        ("LOVABLE_API_KEY", "line\nmy-secret-value"),
        ("LEASE_SECONDS", "my-secret-value"),
        ("LEASE_SECONDS", "nan"),
        ("SWEEP_SECONDS", "0"),
        ("SWEEP_SECONDS", "-1"),
        ("RUN_TIMEOUT_SECONDS", "inf"),
        ("WORKER_CONCURRENCY", "my-secret-value"),
        ("WORKER_CONCURRENCY", "0"),
        ("LLM_MODELS_DEFAULT", "a model with blanks"),
        ("LOG_LEVEL", "my-secret-value"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as raised:
        read_settings()

    assert f"Settings: {name}: " in str(raised.value)
    assert "my-secret-value" not in str(raised.value)


@pytest.mark.parametrize("value", ["hello", "abc.supabase.co", "postgresql://postgres@host/hq"])
def test_an_address_that_is_none_is_answered_with_what_to_write(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SUPABASE_URL", value)

    with pytest.raises(ConfigurationError, match=r"SUPABASE_URL: not an address.*https?://"):
        read_settings()


def test_a_lease_that_could_not_be_renewed_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "15")

    with pytest.raises(ConfigurationError, match="LEASE_RENEW_SECONDS must be at most half of LEASE_SECONDS"):
        read_settings()


def test_a_key_may_come_with_the_line_end_it_was_pasted_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "  sb_secret_abcdefgh\r\n")

    assert read_settings().supabase.service_key.get_secret_value() == "sb_secret_abcdefgh"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("WORKER_CONCURRENCY=3\nSWEEP_SECONDS=9\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("SWEEP_SECONDS", "2.5")

    worker = read_settings(file).worker

    assert worker.concurrency == 3
    assert worker.sweep_every == timedelta(seconds=2.5)


def test_every_key_that_is_set_is_among_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["LOVABLE_API_KEY", "GITHUB_TOKEN", "PERPLEXITY_API_KEY", "FIRECRAWL_API_KEY", "STRIPE_SECRET_KEY",
            "CRON_SECRET"]  # fmt: skip
    for key in keys:
        monkeypatch.setenv(key, f"the-value-of-{key}")

    assert read_settings().secrets == {"sb_secret_abcdefgh", *(f"the-value-of-{key}" for key in keys)}


def test_no_secret_is_shown_by_what_holds_it() -> None:
    assert "abcdefgh" not in repr(read_settings())


def test_the_example_file_names_every_variable_as_the_settings_have_it() -> None:
    assert (PROJECT / ".env.example").read_text() == render_env_example(), "write it again: emocare env > .env.example"


def test_the_example_files_defaults_are_lawful(tmp_path: Path) -> None:
    example = tmp_path / ".env"
    lines = [line.removeprefix("# ") for line in render_env_example().splitlines() if "=" in line]
    example.write_text("\n".join(line for line in lines if line.split("=")[0].isupper()))

    assert read_settings(example) == read_settings()


VAPID_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"


def test_channels_are_split_by_spaces_and_none_of_their_secrets_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = "mailtos://qg:mot-de-passe@smtp.example.org?to=a@b.fr,c@d.fr"
    chat = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    query = "json://host/hook?format=text&pass=cinq%20mots&Token=court"
    monkeypatch.setenv("NOTIFY_URLS", f" {mail}\n{chat} {query} ")

    settings = read_settings()

    assert [url.get_secret_value() for url in settings.notifications.urls] == [mail, chat, query]
    assert settings.secrets >= {mail, chat, "mot-de-passe", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"}
    assert settings.secrets >= {"cinq mots", "cinq%20mots", "court"}
    assert settings.secrets.isdisjoint({"smtp.example.org", "text"})
    assert "mot-de-passe" not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"VAPID_PRIVATE_KEY": VAPID_KEY}, "go together"),
        ({"VAPID_SUBJECT": "mailto:a@emotionscare.com"}, "go together"),
        ({"VAPID_PRIVATE_KEY": "court", "VAPID_SUBJECT": "mailto:a@emotionscare.com"}, "VAPID_PRIVATE_KEY"),
        ({"VAPID_PRIVATE_KEY": "A" * 43, "VAPID_SUBJECT": "mailto:a@emotionscare.com"}, "VAPID_PRIVATE_KEY: .*P-256"),
        ({"VAPID_PRIVATE_KEY": "_" * 43, "VAPID_SUBJECT": "mailto:a@emotionscare.com"}, "VAPID_PRIVATE_KEY: .*P-256"),
        ({"VAPID_PRIVATE_KEY": VAPID_KEY, "VAPID_SUBJECT": "a@emotionscare.com"}, "VAPID_SUBJECT"),
        ({"VAPID_PRIVATE_KEY": VAPID_KEY, "VAPID_SUBJECT": "mailto:admin@example.com"}, "VAPID_SUBJECT"),
        ({"VAPID_PRIVATE_KEY": VAPID_KEY, "VAPID_SUBJECT": "mailto:admin@localhost"}, "VAPID_SUBJECT"),
        ({"VAPID_PRIVATE_KEY": VAPID_KEY, "VAPID_SUBJECT": "https://localhost"}, "VAPID_SUBJECT"),
        ({"PUSH_SERVICES": "https://host/path"}, "PUSH_SERVICES"),
        ({"PUSH_SERVICES": "*"}, "PUSH_SERVICES"),
    ],
)
def test_what_a_push_service_would_refuse_is_refused_at_the_start(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=named) as raised:
        read_settings()

    assert VAPID_KEY not in str(raised.value)


def test_a_real_subject_and_services_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPID_PRIVATE_KEY", VAPID_KEY)
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:equipe@emotionscare.com")
    monkeypatch.setenv("PUSH_SERVICES", "push.example.org, *.example.net,https://push.local.lan:8443")

    settings = read_settings().notifications

    assert settings.push_services == ("push.example.org", "*.example.net", "https://push.local.lan:8443")
