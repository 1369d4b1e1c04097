"""`python -m local.ngrok_agent PORT`: ngrok's agent as a process; the package carries it as a library only.

Prints the public address, then leads it to a port of this machine until the connection to ngrok is lost.
"""

import asyncio
import os
import sys
from pathlib import Path

import ngrok


async def main(port: str) -> str:
    """Prints the address and serves; the result is why it ended, without the token, which ngrok likes to repeat."""
    token = os.environ["NGROK_AUTHTOKEN"]
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def lost(_address: str, error: str) -> None:
        # Called in a thread of the library's. It would connect again by itself, without a word of the new address.
        ended.get_loop().call_soon_threadsafe(_settle, ended, f"connection lost: {error}")
        raise ConnectionError(error)

    builder = ngrok.SessionBuilder().authtoken(token).handle_disconnection(lost)
    if server := os.environ.get("NGROK_CONNECT_URL"):
        builder.server_addr(server)
    if authorities := os.environ.get("NGROK_CONNECT_CAS"):
        builder.ca_cert(bytearray(Path(authorities).read_bytes()))  # noqa: ASYNC240 - nothing else runs yet
    try:
        endpoint = (await builder.connect()).http_endpoint()
        if domain := os.environ.get("NGROK_DOMAIN"):
            endpoint.domain(domain)
        listener = await endpoint.listen_and_forward(f"http://127.0.0.1:{port}")
        print(listener.url(), flush=True)
        return await ended
    except ValueError as error:
        return " ".join(map(str, error.args)).replace(token, "***")


def _settle(ended: asyncio.Future[str], why: str) -> None:
    if not ended.done():
        ended.set_result(why)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
