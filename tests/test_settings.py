"""Wrong settings: one line a fault, with the variable's name, and never a piece of a secret."""

from pathlib import Path

import pytest

from app.settings import Settings, load_settings

GOOD = {
    "BOT_TOKEN": "4242:a-token-of-the-tests",
    "PUBLIC_URL": "https://bot.example",
    "WEBHOOK_SECRET": "a-secret-of-the-tests-that-is-long-enough",
    "DATABASE_URL": "postgresql://user:password@127.0.0.1:5432/bot",
    "REDIS_URL": "redis://:password@127.0.0.1:6379/0",
    "GEN_API_KEY": "key",
    "YOOKASSA_SHOP_ID": "1",
    "YOOKASSA_SECRET_KEY": "live_key",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Good settings for production, and no `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def faults(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a start says on stderr before it gives up."""
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_every_fault_has_its_line_those_of_production_too(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One fault does not hide another."""
    environment.setenv("PUBLIC_URL", "http://bot.example")
    environment.setenv("REDIS_URL", "")
    environment.delenv("GEN_API_KEY")
    assert sorted(line.partition(":")[0] for line in faults(capsys)) == ["GEN_API_KEY", "PUBLIC_URL", "REDIS_URL"]


def test_without_production_redis_and_https_are_not_asked_for(environment: pytest.MonkeyPatch) -> None:
    """`local` loosens both."""
    environment.setenv("ENV", "local")
    environment.setenv("PUBLIC_URL", "http://bot.example")
    environment.delenv("REDIS_URL")
    assert load_settings().redis_url == ""


@pytest.mark.parametrize("rest", ["", "/", "/networks/", "/networks/gpt-image-1", "/networks/gpt-image-1/"])
def test_the_address_of_gen_api_is_cut_off_at_its_networks(environment: pytest.MonkeyPatch, rest: str) -> None:
    """However much of an endpoint's address was pasted."""
    environment.setenv("GEN_API_URL", f"https://gen-api.example/api/v1{rest}")
    assert load_settings().gen_api_url == "https://gen-api.example/api/v1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://user:hush/word@127.0.0.1:5432/bot"),
        ("DATABASE_URL", "postgresql://user:hush#word@127.0.0.1:5432/bot"),
        ("DATABASE_URL", "postgresql://user:a[hush]b@127.0.0.1:5432/bot"),
        ("DATABASE_URL", "postgresql://user:password@127.0.0.1:hush/bot"),
        ("REDIS_URL", "redis://:a[hush]b@127.0.0.1:6379"),
        ("REDIS_URL", "redis://user:hush/word@127.0.0.1:6379"),
        ("SENTRY_DSN", "hush"),
        ("TERMS_URL", "hush"),
        ("PRIVACY_URL", "https://a[hush]b"),
    ],
)
def test_an_address_that_cannot_be_read_is_one_line_without_a_piece_of_it(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """urllib, asyncpg and Sentry quote what they stumble over, and that may be of the password."""
    environment.setenv(name, value)
    (line,) = faults(capsys)
    assert line.startswith(f"{name}: ")
    assert "hush" not in line


@pytest.mark.parametrize(
    "value",
    [
        "postgres://user:p%40ss@[::1]:5432/bot",
        "postgresql://user:password@one:5432,two:5433/bot?target_session_attrs=primary",
        "postgresql:///bot?host=/run/postgresql",
        "postgresql://user@host/bot",
    ],
)
def test_every_address_that_postgresql_takes_is_taken(environment: pytest.MonkeyPatch, value: str) -> None:
    """IPv6, several hosts, a socket, no port."""
    environment.setenv("DATABASE_URL", value)
    assert load_settings().database_url.startswith("postgresql://")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEBHOOK_SECRET", "short", "must have at least 32 characters"),
        ("METRICS_TOKEN", "fifteen-letters", "must have at least 16 characters, or be empty"),
        ("GEN_API_KEY", "a key", "holds a space or a letter that no key has: copy it again"),
        ("YOOKASSA_OAUTH_TOKEN", "ключ", "holds a space or a letter that no key has: copy it again"),
        ("YOOKASSA_SECRET_KEY", " ", "is required"),
    ],
)
def test_a_key_that_cannot_be_right_is_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, said: str
) -> None:
    """It would spoil a header, or open a door."""
    environment.setenv(name, value)
    assert faults(capsys) == [f"{name}: {said}"]


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"MODELS": "gpt-image-1,gpt-image-9"}, "MODELS"),
        ({"MODELS": " , "}, "MODELS"),
        ({"MODELS": "gpt-image-9", "DEFAULT_MODEL": "gpt-image-9"}, "MODELS"),
        ({"DEFAULT_MODEL": "gpt-image-9"}, "DEFAULT_MODEL"),
        ({"MODELS": "gpt-image-2", "DEFAULT_MODEL": "gpt-image-1"}, "DEFAULT_MODEL"),
    ],
)
def test_a_model_that_is_not_in_the_catalogue_or_not_sold_is_one_line(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: dict[str, str], variable: str
) -> None:
    for name, value in settings.items():
        environment.setenv(name, value)
    assert [line.partition(":")[0] for line in faults(capsys)] == [variable]


def test_a_card_starts_with_the_first_model_unless_another_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MODELS", "gpt-image-2, nano-banana,gpt-image-2")
    assert load_settings().models == ("gpt-image-2", "nano-banana")
    assert load_settings().default_model == "gpt-image-2"
    environment.setenv("DEFAULT_MODEL", "nano-banana")
    assert load_settings().default_model == "nano-banana"


def test_a_pasted_line_break_is_no_part_of_a_key(environment: pytest.MonkeyPatch) -> None:
    """The space around what is pasted is dropped."""
    environment.setenv("GEN_API_KEY", "a-key-of-the-tests\n")
    assert load_settings().gen_api_key.get_secret_value() == "a-key-of-the-tests"


@pytest.mark.parametrize(("page", "form"), [("README.md", "`{}`"), ("README.ru.md", "`{}`"), (".env.example", "\n{}=")])
def test_every_setting_is_documented(page: str, form: str) -> None:
    """In both READMEs, and in the file that is copied to .env."""
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if form.format(name.upper()) not in text] == []


@pytest.mark.parametrize("ways", ["yookassa", "yookassa,stars", "stars, yookassa"])
def test_yookassas_keys_are_asked_for_where_payments_names_it(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ways: str
) -> None:
    environment.setenv("PAYMENTS", ways)
    environment.delenv("YOOKASSA_SHOP_ID")
    environment.setenv("YOOKASSA_SECRET_KEY", "")
    assert sorted(faults(capsys)) == ["YOOKASSA_SECRET_KEY: is required", "YOOKASSA_SHOP_ID: is required"]


def test_stars_alone_need_no_keys(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAYMENTS", "stars")
    environment.delenv("YOOKASSA_SHOP_ID")
    environment.delenv("YOOKASSA_SECRET_KEY")
    assert load_settings().payments == ("stars",)


@pytest.mark.parametrize("ways", ["paypal", "yookassa,paypal", ","])
def test_a_way_to_pay_that_there_is_not_is_a_fault_by_itself(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ways: str
) -> None:
    environment.setenv("PAYMENTS", ways)
    assert faults(capsys) == ["PAYMENTS: must name ways to pay: yookassa, stars"]
