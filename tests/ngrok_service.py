"""ngrok as its agent knows it: sessions over TLS, frames of muxado, JSON calls; for the real agent to talk to.

The protocol is that of https://github.com/ngrok/ngrok-rust (muxado/PROTOCOL.md, ngrok/src/internals/proto.rs).
"""

import asyncio
import json
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DATA, _WINDOW = 1, 2
_FIN, _SYN = 1, 2
_AUTH, _BIND, _PROXY, _HEARTBEAT = 0, 1, 3, 0xFFFFFFFF

_CONFIG = """
[req]
distinguished_name = name
x509_extensions = leaf
prompt = no
[name]
CN = localhost
[leaf]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost
"""


@dataclass
class NgrokService:
    """Takes `token`; `refusals` by call ("auth" or "bind") are errors in ngrok's own form.

    `domains` are handed out in turn to agents that ask for none.
    """

    address: str
    authorities: Path
    token: str = "a-token-of-ngrok"
    refusals: dict[str, str] = field(default_factory=dict)
    domains: list[str] = field(default_factory=lambda: ["first.ngrok-free.dev"])
    silent: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    _sessions: list["_Session"] = field(default_factory=list)

    async def request(self, raw: bytes) -> bytes:
        """A request of somebody in the internet, and the answer that comes back through the newest agent."""
        async with asyncio.timeout(20):
            return await self._sessions[-1].proxy(raw)

    def drop(self) -> None:
        """Ends every session, as a restart of ngrok's does."""
        for session in self._sessions:
            session.writer.close()
        self._sessions.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        self._sessions.append(session)
        try:
            await session.run()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def answer(self, kind: int, call: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(call)
        if kind == _AUTH:
            if (given := call["Extra"]["AuthToken"]) != self.token:
                return {"Error": f"The authtoken is not one.\nYour authtoken: {given}\n\nERR_NGROK_105\n"}
            if error := self.refusals.get("auth"):
                return {"Error": error}
            return {"Version": "3", "ClientId": "client", "Extra": {"Region": "eu"}}
        if error := self.refusals.get("bind"):
            return {"Error": error}
        domain = call["Opts"]["Domain"] or call["Opts"]["Hostname"] or self.domains[0]
        self.domains = self.domains[1:] or self.domains
        return {**call, "Id": "tunnel", "URL": f"https://{domain}", "Extra": {"Token": "t"}}


class _Session:
    def __init__(self, service: NgrokService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._service, self._reader, self.writer = service, reader, writer
        self._streams: dict[int, bytes] = {}
        self._proxied: dict[int, tuple[bytearray, asyncio.Event]] = {}

    async def run(self) -> None:
        while True:
            word, stream = struct.unpack(">II", await self._reader.readexactly(8))
            body = await self._reader.readexactly(word >> 8)
            if (word >> 4) & 0xF != _DATA or self._service.silent:
                continue
            if stream in self._proxied:
                got, done = self._proxied[stream]
                got += body
                if word & _FIN:
                    done.set()
            else:
                self._called(stream, self._streams.pop(stream, b"") + body)

    def _called(self, stream: int, received: bytes) -> None:
        kind = int.from_bytes(received[:4]) if len(received) >= 4 else None
        if kind == _HEARTBEAT:
            if beat := received[4:]:
                self._send(stream, beat)
            self._streams[stream] = received[:4]
            return
        try:
            call = json.loads(received[4:])
        except ValueError:
            self._streams[stream] = received
            return
        self._send(stream, json.dumps(self._service.answer(kind or 0, call)).encode(), _FIN)

    async def proxy(self, raw: bytes) -> bytes:
        stream, done = 2 + 2 * len(self._proxied), asyncio.Event()
        got = bytearray()
        self._proxied[stream] = got, done
        about: dict[str, Any] = {"Id": "tunnel", "ClientAddr": "192.0.2.1:5", "Proto": "https", "EdgeType": "3"}
        about["PassthroughTLS"] = False
        header = json.dumps(about).encode()
        self._send(stream, struct.pack(">I", _PROXY) + struct.pack("<q", len(header)) + header + raw, _SYN)
        await done.wait()
        return bytes(got)

    def _send(self, stream: int, body: bytes, flags: int = 0) -> None:
        self.writer.write(struct.pack(">II", len(body) << 8 | _DATA << 4 | flags, stream) + body)


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    config, key, certificate = folder / "leaf.conf", folder / "key.pem", folder / "certificate.pem"
    config.write_text(_CONFIG)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-config", str(config), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


@asynccontextmanager
async def ngrok_service(folder: Path) -> AsyncIterator[NgrokService]:
    """A running service with a certificate made in `folder`."""
    certificate, context = await asyncio.to_thread(_certificate, folder)
    service = NgrokService("", certificate)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=context)
    service.address = f"localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        service.drop()
        server.close()
        await server.wait_closed()
