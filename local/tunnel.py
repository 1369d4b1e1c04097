"""A public https address for a port of this machine: ngrok's, or cloudflared's."""

import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from local.child import Child

_ROOT = Path(__file__).resolve().parent.parent
_START_S = 30.0

_HOW = (
    "BOT_TOKEN is set, so this would go live, and Telegram needs an https address that leads here: set "
    "NGROK_AUTHTOKEN (https://dashboard.ngrok.com/get-started/your-authtoken), or install cloudflared, or set "
    "PUBLIC_URL to an address of your own; or unset BOT_TOKEN for the sandbox"
)
_NO_ACCOUNT = "ngrok refuses NGROK_AUTHTOKEN: copy it from https://dashboard.ngrok.com/get-started/your-authtoken"
_NOT_ITS_DOMAIN = (
    "ngrok does not give this account the domain NGROK_DOMAIN: take one from https://dashboard.ngrok.com/domains"
)
_NGROK_SAYS = {
    "ERR_NGROK_105": _NO_ACCOUNT,
    "ERR_NGROK_106": _NO_ACCOUNT,
    "ERR_NGROK_107": _NO_ACCOUNT,
    "ERR_NGROK_4018": _NO_ACCOUNT,
    "ERR_NGROK_108": "another ngrok agent of this account is running, and the plan allows no more: stop that one",
    "ERR_NGROK_314": _NOT_ITS_DOMAIN,
    "ERR_NGROK_319": _NOT_ITS_DOMAIN,
    "ERR_NGROK_320": _NOT_ITS_DOMAIN,
    "ERR_NGROK_334": "the ngrok domain is in use by another agent: stop that one, or set another NGROK_DOMAIN",
    "ERR_NGROK_9040": (
        "ngrok takes no agents from this country or address: unset NGROK_AUTHTOKEN and install cloudflared, "
        "or set PUBLIC_URL to an address of your own"
    ),
}
"""ngrok's refusals, by the codes of https://ngrok.com/docs/errors."""


class TunnelError(RuntimeError):
    """There is no tunnel; the text is one sentence that says what to do."""


class Tunnel:
    """A running agent; `url` leads to the port."""

    def __init__(self, child: Child, url: str) -> None:
        self._child = child
        self.url = url

    @classmethod
    def start(
        cls,
        command: Sequence[object],
        environment: Mapping[str, str],
        log: Path,
        address: Callable[[str], str | None],
        explain: Callable[[str], str],
        patience_s: float = _START_S,
    ) -> Self:
        """Starts `command` and waits until `address` finds the public address in what it says.

        Raises TunnelError with what `explain` makes of its words where it ends or is silent for too long.
        """
        with log.open("wb") as file:
            child = Child.start(command, env=environment, cwd=_ROOT, log=file)
        try:
            give_up_at = time.monotonic() + patience_s
            while True:
                ended = child.poll() is not None
                words = log.read_text(errors="replace")
                if not ended and (url := address(words)):
                    return cls(child, url)
                if ended or time.monotonic() > give_up_at:
                    raise TunnelError(explain(words) if ended else f"{explain(words)} (no answer in {patience_s:g} s)")
                time.sleep(0.1)
        except BaseException:
            child.stop()
            raise

    def alive(self) -> bool:
        """Whether the agent still runs."""
        return self._child.poll() is None

    def stop(self) -> None:
        """Ends the agent; the address leads nowhere from now on."""
        self._child.stop()


def open_tunnel(configured: Mapping[str, str], port: int, log: Path, patience_s: float = _START_S) -> Tunnel:
    """The tunnel that the settings and this machine allow: ngrok with a token, else cloudflared. Raises TunnelError."""
    if configured.get("NGROK_AUTHTOKEN"):
        agent = [sys.executable, "-m", "local.ngrok_agent", str(port)]
        return Tunnel.start(agent, configured, log, _ngrok_address, _ngrok_fault, patience_s)
    if cloudflared := shutil.which("cloudflared", path=configured.get("PATH")):
        agent = [cloudflared, "tunnel", "--no-autoupdate", "--url", f"http://127.0.0.1:{port}"]
        return Tunnel.start(agent, configured, log, _cloudflared_address, _cloudflared_fault, patience_s)
    raise TunnelError(_HOW)


def _ngrok_address(words: str) -> str | None:
    found = re.search(r"^https://\S+$", words, re.MULTILINE)
    return found[0] if found else None


def _ngrok_fault(words: str) -> str:
    code = re.search(r"ERR_NGROK_\d+", words)
    if code and code[0] in _NGROK_SAYS:
        return f"{_NGROK_SAYS[code[0]]} ({code[0]})"
    if code:
        return f"ngrok refuses: see https://ngrok.com/docs/errors/{code[0].lower()} ({_last_line(words)})"
    return f"ngrok cannot be reached: check the network, or set PUBLIC_URL ({_last_line(words)})"


def _cloudflared_address(words: str) -> str | None:
    # An address before the connection leads nowhere; api. is whom it asks for one.
    found = re.search(r"https://(?!api\.)[a-z0-9-]+\.trycloudflare\.com", words)
    return found[0] if found and "Registered tunnel connection" in words else None


def _cloudflared_fault(words: str) -> str:
    if "429" in words or "error code: 1015" in words:
        return (
            "cloudflared is refused, too many tunnels from this address: try again in some minutes, or set PUBLIC_URL"
        )
    if re.search(r"https://(?!api\.)[a-z0-9-]+\.trycloudflare\.com", words):
        return "cloudflared has an address but no connection: outgoing port 7844 may be blocked here; set PUBLIC_URL"
    return f"cloudflared gives no address: try again, or set PUBLIC_URL ({_last_line(words)})"


def _last_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"
