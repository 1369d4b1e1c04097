"""The tunnels: ngrok's own agent against a stand-in of its service, and a stand-in of cloudflared."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.ports import free_port
from local.tunnel import Tunnel, TunnelError, open_tunnel
from tests.ngrok_service import NgrokService, ngrok_service

_PATIENCE_S = 40


@pytest.fixture
async def ngrok(tmp_path: Path) -> AsyncIterator[NgrokService]:
    async with ngrok_service(tmp_path) as service:
        yield service


def _environment(service: NgrokService, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "NGROK_AUTHTOKEN": service.token,
        "NGROK_CONNECT_URL": service.address,
        "NGROK_CONNECT_CAS": str(service.authorities),
        **more,
    }


async def _open(environment: dict[str, str], folder: Path, port: int = 9, patience_s: float = _PATIENCE_S) -> Tunnel:
    return await asyncio.to_thread(open_tunnel, environment, port, folder / "tunnel.log", patience_s)


async def _refusal(environment: dict[str, str], folder: Path, patience_s: float = _PATIENCE_S) -> str:
    with pytest.raises(TunnelError) as refused:
        await _open(environment, folder, patience_s=patience_s)
    return str(refused.value)


async def test_ngrok_leads_the_internet_to_our_port(ngrok: NgrokService, tmp_path: Path) -> None:
    """A request at the public address reaches the bot's port, and its answer comes back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    tunnel = await _open(_environment(ngrok), tmp_path, server.sockets[0].getsockname()[1])
    try:
        assert tunnel.url == "https://first.ngrok-free.dev"
        assert (await ngrok.request(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).endswith(b"hi")
    finally:
        await asyncio.to_thread(tunnel.stop)
        server.close()
    assert not tunnel.alive()


async def test_ngrok_is_asked_for_the_domain_that_is_set(ngrok: NgrokService, tmp_path: Path) -> None:
    """NGROK_DOMAIN is the address."""
    tunnel = await _open(_environment(ngrok, NGROK_DOMAIN="mine.ngrok.app"), tmp_path)
    await asyncio.to_thread(tunnel.stop)
    assert tunnel.url == "https://mine.ngrok.app"


async def test_an_agent_that_loses_its_connection_ends(ngrok: NgrokService, tmp_path: Path) -> None:
    """It does not connect again by itself, maybe under another address: whoever started it does."""
    tunnel = await _open(_environment(ngrok), tmp_path)
    try:
        ngrok.drop()
        async with asyncio.timeout(_PATIENCE_S):
            while tunnel.alive():  # noqa: ASYNC110 - a process tells nobody
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(tunnel.stop)
    assert len(ngrok.asked) == 2


async def test_a_refused_token_is_one_sentence_without_the_token(ngrok: NgrokService, tmp_path: Path) -> None:
    """ngrok repeats the token in its refusal; neither the sentence nor the log does."""
    sentence = await _refusal(_environment(ngrok, NGROK_AUTHTOKEN="not-a-token-of-ngrok"), tmp_path)
    assert "NGROK_AUTHTOKEN" in sentence
    assert "not-a-token-of-ngrok" not in sentence + (tmp_path / "tunnel.log").read_text()


@pytest.mark.parametrize(
    ("call", "said", "sentence"),
    [
        ("auth", "We do not allow agents from your IP address.\n\nERR_NGROK_9040\n", "install cloudflared"),
        ("auth", "Limited to 1 simultaneous agent sessions.\n\nERR_NGROK_108\n", "another ngrok agent"),
        ("bind", "The domain is reserved for another account.\n\nERR_NGROK_320\n", "NGROK_DOMAIN"),
        ("bind", "The endpoint is already online.\n\nERR_NGROK_334\n", "in use by another agent"),
        ("auth", "Something new.\n\nERR_NGROK_4242\n", "https://ngrok.com/docs/errors/err_ngrok_4242"),
    ],
)
async def test_each_refusal_of_ngrok_says_what_to_do(
    ngrok: NgrokService, tmp_path: Path, call: str, said: str, sentence: str
) -> None:
    """The country, the plan, a domain of somebody else, a domain in use, and what is not known yet."""
    ngrok.refusals[call] = said
    assert sentence in await _refusal(_environment(ngrok, NGROK_DOMAIN="theirs.ngrok.app"), tmp_path)


async def test_an_ngrok_that_does_not_answer_is_given_up(ngrok: NgrokService, tmp_path: Path) -> None:
    """Nobody listens, or somebody who says nothing."""
    elsewhere = _environment(ngrok, NGROK_CONNECT_URL=f"127.0.0.1:{free_port()}")
    assert "ngrok cannot be reached" in await _refusal(elsewhere, tmp_path)
    ngrok.silent = True
    assert "no answer in 3 s" in await _refusal(_environment(ngrok), tmp_path, patience_s=3)


def _cloudflared(folder: Path, script: str) -> dict[str, str]:
    """An environment whose cloudflared is `script`."""
    program = folder / "bin" / "cloudflared"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


_BOX = r"""
echo "2026-11-24T10:00:00Z INF Requesting new quick Tunnel on trycloudflare.com..." >&2
echo "2026-11-24T10:00:01Z INF |  https://quick-brown-fox.trycloudflare.com          |" >&2
"""


async def test_cloudflared_s_address_is_read_once_it_is_connected(tmp_path: Path) -> None:
    """It is told our port, and the address of its own API is not taken for ours."""
    script = (
        'echo "$@" >"$0.arguments"; echo "ERR retrying https://api.trycloudflare.com/tunnel" >&2'
        f'{_BOX}echo "2026-11-24T10:00:02Z INF Registered tunnel connection connIndex=0" >&2\nexec sleep 60'
    )
    tunnel = await _open(_cloudflared(tmp_path, script), tmp_path, port=4711)
    await asyncio.to_thread(tunnel.stop)
    assert tunnel.url == "https://quick-brown-fox.trycloudflare.com"
    told = (tmp_path / "bin" / "cloudflared.arguments").read_text()
    assert told == "tunnel --no-autoupdate --url http://127.0.0.1:4711\n"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ('echo "ERR Error: error code: 1015 status_code=\\"429 Too Many Requests\\"" >&2; exit 1', "too many tunnels"),
        ('echo "failed to request quick Tunnel: no such host" >&2; exit 1', "no such host"),
        ("exit 1", "it said nothing"),
        (f"{_BOX}exec sleep 60", "7844"),
        ("exec sleep 60", "no answer in 2 s"),
    ],
)
async def test_each_failure_of_cloudflared_says_what_to_do(tmp_path: Path, script: str, sentence: str) -> None:
    """Too many tunnels, no network, a silent end, no way out for its connection, no word in time."""
    assert sentence in await _refusal(_cloudflared(tmp_path, script), tmp_path, patience_s=2)


async def test_without_any_tunnel_the_sentence_names_every_way(tmp_path: Path) -> None:
    """What to set or to install."""
    sentence = await _refusal({"PATH": str(tmp_path)}, tmp_path)
    for way in ("NGROK_AUTHTOKEN", "cloudflared", "PUBLIC_URL"):
        assert way in sentence
