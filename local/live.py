"""The live bot on a desk: a public address, the bot behind it, and what its owner has to know."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app import migrate
from app.settings import Settings, faults
from local import stores
from local.child import Child
from local.doctor import Explanation, Note, self_check
from local.ports import is_free
from local.tunnel import Tunnel, TunnelError, open_tunnel

_ROOT = Path(__file__).resolve().parent.parent
_PORTS = 100
_LOOK_S = 0.2
_SLOW_START_S = 10
_PAUSES_S = (2, 4, 8, 16, 32, 60)

_WHERE = {
    "BOT_TOKEN": "from @BotFather",
    "GEN_API_KEY": "from your account at https://gen-api.ru",
    "YOOKASSA_SHOP_ID": "from your account at https://yookassa.ru; a test shop will do",
    "YOOKASSA_SECRET_KEY": "Интеграция → Ключи API in that account",
}


def run_live(configured: Mapping[str, str], running: ExitStack) -> int:
    """Runs the bot with the settings in `configured` until it ends; the result is its exit code.

    Raises RuntimeError with what is to be done: nothing is started before the settings are complete.
    """
    port = _port(configured)
    environment = {"LOG_FORMAT": "console", "WEBHOOK_SECRET": stores.webhook_secret(), **configured}
    environment |= {"ENV": "local", "PORT": str(port)}
    _require_settings(environment)
    tunnel = None
    if "PUBLIC_URL" not in configured:
        # The tunnel alone has to get to the bot.
        environment.setdefault("HOST", "127.0.0.1")
        tunnel = open_tunnel(configured, port, _tunnel_log())
    bot = LiveBot(environment, tunnel)
    running.callback(bot.stop_tunnel)
    if "DATABASE_URL" in configured:
        migrate.apply(configured["DATABASE_URL"])
    else:
        environment["DATABASE_URL"] = stores.database("live", running)
    if "REDIS_URL" not in configured:
        environment["REDIS_URL"] = stores.redis(running)
    running.callback(bot.stop)
    return bot.run()


def _port(configured: Mapping[str, str]) -> int:
    """PORT, or the next free one, unless PUBLIC_URL was set by hand and leads to this very one."""
    host, wanted = configured.get("HOST", "127.0.0.1"), configured.get("PORT", "8080")
    if not wanted.isdecimal() or not 0 < int(wanted) < 65536:
        raise RuntimeError("PORT: must be a number from 1 to 65535")
    for port in range(int(wanted), min(int(wanted) + _PORTS, 65536)):
        if is_free(host, port):
            return port
        if "PUBLIC_URL" in configured:
            raise RuntimeError(
                f"Port {port} is busy, and PUBLIC_URL leads there: stop what listens on it, or set another PORT"
            )
        print(f"Port {port} is busy: trying the next one", flush=True)
    raise RuntimeError(f"No free port from {wanted} up: set PORT")


def _tunnel_log() -> Path:
    stores.STATE.mkdir(exist_ok=True)
    return stores.STATE / "tunnel.log"


def _require_settings(environment: Mapping[str, str]) -> None:
    """Raises RuntimeError with a line for everything that is still missing or wrong."""
    # Our own come later.
    values = {"DATABASE_URL": "postgresql://later", "PUBLIC_URL": "https://later.invalid", **environment}
    named: dict[str, Any] = {name: values[name.upper()] for name in Settings.model_fields if name.upper() in values}
    try:
        Settings(**{"_env_file": None} | named)
    except ValidationError as error:
        lines = ["BOT_TOKEN is set, so this would go live. Still missing in .env or in the environment:"]
        for name, text in faults(error):
            where = f" ({_WHERE[name]})" if name in _WHERE else ""
            lines.append(f"  {name}: {text}{where}" if name else f"  {text}")
        raise RuntimeError("\n".join([*lines, "Or unset BOT_TOKEN for the sandbox."])) from None


class LiveBot:
    """The bot as a child process, behind an address that may change."""

    def __init__(self, environment: dict[str, str], tunnel: Tunnel | None) -> None:
        self._environment = environment
        self._tunnel = tunnel
        self._note = Note()
        self._bot: Child | None = None
        self._report: Child | None = None
        self._explanation: Explanation | None = None

    def run(self) -> int:
        """Serves until the bot ends by itself."""
        while True:
            if self._tunnel is not None:
                self._environment["PUBLIC_URL"] = self._tunnel.url
            self._note.write(self._environment)
            self._bot = Child.start([sys.executable, "bot.py"], env=self._environment, cwd=_ROOT)
            code = self._watch(self._bot)
            if code is not None:
                return code
            print(f"The address has changed to {self._tunnel and self._tunnel.url}: the bot starts again", flush=True)
            self.stop()

    def _watch(self, bot: Child) -> int | None:
        """The bot's exit code, or None once the address is another one."""
        started_at, reported, complained = time.monotonic(), False, False
        while (code := bot.poll()) is None:
            if not reported:
                not_ready = self._not_ready()
                reported = not not_ready
                if reported:
                    self._say_what_to_know()
                elif not complained and time.monotonic() > started_at + _SLOW_START_S:
                    complained = self._complain(not_ready)
            if self._tunnel is not None and not self._tunnel.alive():
                self._tunnel = self._reopen(self._tunnel)
                if self._tunnel.url != self._environment["PUBLIC_URL"]:
                    return None
            time.sleep(_LOOK_S)
        return code

    def _complain(self, not_ready: list[str]) -> bool:
        """Says what the start waits for, with the reason once the self-check has found it; whether it was said."""
        if self._explanation is None:
            self._explanation = Explanation(self._environment)
        reasons = self._explanation.lines()
        if reasons is None:
            return False
        print(f"The bot is not ready yet, still waiting for: {', '.join(not_ready)}", flush=True)
        for reason in reasons:
            print(f"  {reason}", flush=True)
        return True

    def _not_ready(self) -> list[str]:
        """What `/readyz` says is missing."""
        host = self._environment.get("HOST", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - an address to ask at, where the bot listens on all
        url = f"http://{f'[{host}]' if ':' in host else host}:{self._environment['PORT']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return []
        except urllib.error.HTTPError as error:
            return [name for name, ready in json.load(error).items() if not ready]
        except OSError:
            return ["the process"]

    def _say_what_to_know(self) -> None:
        """The doctor's report: the bot's link, what to paste into YooKassa's account, and what is missing."""
        print(f"The bot is live at {self._environment['PUBLIC_URL']}; what the self-check says:", flush=True)
        self._report = self_check(self._environment)
        if not self._environment.get("ADMIN_IDS"):
            print("note ADMIN_IDS: not set: nobody is told of what needs a person", flush=True)

    def _reopen(self, broken: Tunnel) -> Tunnel:
        """A tunnel again, however long it takes; what Telegram has for the bot waits there meanwhile."""
        print("The tunnel has ended: opening it again", flush=True)
        broken.stop()
        port = int(self._environment["PORT"])
        for attempt in range(sys.maxsize):
            try:
                return open_tunnel(self._environment, port, _tunnel_log())
            except TunnelError as error:
                pause = _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]
                print(f"No tunnel, next try in {pause} s: {error}", file=sys.stderr, flush=True)
                time.sleep(pause)
        raise AssertionError

    def stop(self) -> None:
        """Stops the bot."""
        for child in (self._explanation, self._report, self._bot):
            if child is not None:
                child.stop()
        self._explanation = None

    def stop_tunnel(self) -> None:
        """Closes the address, after the bot."""
        self._note.close()
        if self._tunnel is not None:
            self._tunnel.stop()
