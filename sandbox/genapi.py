"""gen-api.ru as its clients know it: takes an order, paints, calls back."""

import asyncio
import colorsys
import io
import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from yarl import URL

from sandbox.ids import fresh_numbers
from sandbox.networks import NETWORKS, Network, kind_of, read
from sandbox.server import Server

REPEAT_S = 3


@dataclass
class Order:
    """One accepted request; `picture` is there once its status is success. A `reason` set before is its failure.

    `images` are there at once where they came in a form, else once they were fetched from `addresses`.
    """

    id: int
    network: Network
    fields: dict[str, Any]
    size: tuple[int, int]
    images: list[bytes]
    addresses: tuple[str, ...] = ()
    status: str = "processing"
    reason: str = ""
    picture: bytes | None = None
    callbacks: list[int] = field(default_factory=list)

    @property
    def image(self) -> bytes:
        """The first picture that it is made of."""
        return self.images[0]


@dataclass
class Manner:
    """How the service speaks where nobody knows for sure; every combination has to be understood."""

    create_status: Literal["200", "201"] = "200"
    id_name: Literal["request_id", "id"] = "request_id"
    id_type: Literal["number", "string"] = "number"
    result: Literal["strings", "objects", "string", "full_response"] = "strings"
    failure_word: Literal["error", "failed", "cancelled", "canceled"] = "error"
    unknown_id: Literal["404", "400"] = "404"
    success: Literal["picture", "empty"] = "picture"
    missed_callback: Literal["dropped", "repeated"] = "dropped"


@dataclass
class FakeGenApi(Server):
    """The provider. `delay` is the seconds from the order to the callback; `auto=False` waits for `finish`.

    `result_delay` is how long a picture takes to be fetched (s).
    `failure`: a reason with which every order from now on ends as `error` ("" = they succeed).
    `gone`: networks that are answered with 404, as if they had never been.
    """

    key: str = "sandbox"
    delay: float = 0.2
    result_delay: float = 0
    auto: bool = True
    failure: str = ""
    gone: set[str] = field(default_factory=set)
    balance: float = 1000.0
    service = "gen-api"
    base_path = "/api/v1"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.manner = Manner()
        self.elsewhere: dict[str, str] = {}
        """Where the results are, instead of here, of orders whose description holds that word."""
        self.orders: dict[int, Order] = {}
        self._ids = fresh_numbers()

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/api/v1/networks/{network}", self._create, name="create")
        router.add_get("/api/v1/request/get/{id}", self._get, name="get")
        router.add_get("/api/v1/user", self._user, name="user")
        router.add_get("/results/{id}.png", self._result, name="result")

    async def finish(self, order_id: int, failure: str | None = None) -> int:
        """Paint the picture (or fail with a reason) and call back; the callback's status, 0 for none."""
        order = self.orders[order_id]
        reason = (order.reason or self.failure) if failure is None else failure
        reason = reason or await self._fetch(order)
        if reason:
            order.status, order.reason = "error", reason
        else:
            order.picture = await asyncio.to_thread(paint, order.images, order.fields["prompt"], order.size)
            order.status = "success"
        self.changed()
        return await self.call_back(order_id)

    async def _fetch(self, order: Order) -> str:
        """Get the pictures from where they stand; what went wrong, or "" where nothing did."""
        for url in order.addresses[len(order.images) :]:
            async with self.http.get(url) as answer:
                if answer.status != 200:
                    return f"{url.partition('?')[0]} answers {answer.status}"
                data = await answer.read()
                if answer.content_type != kind_of(data) or answer.content_type not in order.network.kinds:
                    return f"{answer.content_type} is not taken"
                order.images.append(data)
        return ""

    async def call_back(self, order_id: int) -> int:
        """Send the order's callback (again); the status it was answered with, 0 for none."""
        order = self.orders[order_id]
        url = order.fields.get("callback_url", "")
        if not url:
            return 0
        body = {self.manner.id_name: self._number(order), "cost": order.network.cost, **self._outcome(order)}
        status = await self.deliver(url, body, lambda: self._forged(order, body))
        order.callbacks.append(status)
        if status != 200 and self.manner.missed_callback == "repeated":
            self.spawn(self._call_back_later(order_id))
        return status

    async def _call_back_later(self, order_id: int) -> None:
        await asyncio.sleep(REPEAT_S)
        await self.call_back(order_id)

    def _forged(self, order: Order, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        url = URL(order.fields["callback_url"])
        query = {name: value[:-1] + ("0" if value[-1:] != "0" else "1") for name, value in url.query.items()}
        return str(url.with_query(query)), {**body, "result": ["https://example.com/forged.png"]}

    def _number(self, order: Order) -> int | str:
        return order.id if self.manner.id_type == "number" else str(order.id)

    def _outcome(self, order: Order) -> dict[str, Any]:
        if order.status == "error":
            return {"status": self.manner.failure_word, "result": [order.reason], "full_response": []}
        if order.status != "success" or self.manner.success == "empty":
            return {"status": order.status, "result": [], "full_response": []}
        url = f"{self.origin}/results/{order.id}.png"
        url = next((there for word, there in self.elsewhere.items() if word in order.fields["prompt"]), url)
        said: dict[str, Any] = {"status": "success", "result": [url], "full_response": [{"url": url}]}
        if self.manner.result == "objects":
            said["result"] = [{"url": url}]
        elif self.manner.result == "string":
            said["result"] = url
        elif self.manner.result == "full_response":
            del said["result"]
        return said

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return self.error(401, "Unauthenticated.")
        return None

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        network = NETWORKS.get(request.match_info["network"])
        if network is None or network.name in self.gone:
            return self.error(404, "Not Found")
        fields = await _fields(request)
        sources, faults = read(network, fields)
        fields.pop("files", None)
        if not fields.get("prompt"):
            faults["prompt"] = ["The prompt field is required."]
        if not str(fields.get("callback_url", "http://")).startswith(("http://", "https://")):
            faults["callback_url"] = ["The callback url must be a valid URL."]
        size = network.measure(fields)
        if isinstance(size, dict):
            faults |= size
        if faults or isinstance(size, dict):
            return web.json_response({"errors_validation": faults}, status=422)
        order = Order(next(self._ids), network, fields, size, list(sources.images), sources.addresses)
        self.orders[order.id] = order
        if self.auto:
            self.spawn(self._finish_later(order.id))
        body = {self.manner.id_name: self._number(order), "status": "starting"}
        return web.json_response(body, status=int(self.manner.create_status))

    async def _finish_later(self, order_id: int) -> None:
        await asyncio.sleep(self.delay)
        await self.finish(order_id)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        given = request.match_info["id"]
        order = self.orders.get(int(given)) if given.isdigit() else None
        if order is None:
            return self.error(int(self.manner.unknown_id), "Request not found")
        progress = 100 if order.status == "success" else 0
        said = {"id": self._number(order), "cost": order.network.cost, "progress": progress}
        return web.json_response({**said, **self._outcome(order)})

    async def _user(self, request: web.Request) -> web.StreamResponse:
        return self._refused(request) or web.json_response({"id": 1, "balance": self.balance})

    async def _result(self, request: web.Request) -> web.StreamResponse:
        given = request.match_info["id"]
        order = self.orders.get(int(given)) if given.isdigit() else None
        if order is None or order.picture is None:
            return self.error(404, "Not Found")
        await asyncio.sleep(self.result_delay)
        return web.Response(body=order.picture, content_type="image/png")


async def _fields(request: web.Request) -> dict[str, Any]:
    """A JSON object, or a form: its texts by name, and its files under `files`."""
    if request.content_type == "application/json":
        body = await request.json()
        return dict(body) if isinstance(body, dict) else {}
    form = await request.post()
    texts: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
    return {**texts, "files": [value for value in form.values() if not isinstance(value, str)]}


def paint(images: Sequence[bytes], prompt: str, size: tuple[int, int]) -> bytes:
    """A new PNG: the pictures side by side in broad strokes, in the prompt's own colours, with the prompt on it."""
    hue = random.Random(prompt).random()
    dark, middle, light = _colour(hue, 0.7, 0.3), _colour(hue + 0.35, 0.6, 0.9), _colour(hue + 0.45, 0.2, 1)
    width, height = size[0] // 4, size[1] // 4
    fitted = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    for number, image in enumerate(images):
        left, right = width * number // len(images), width * (number + 1) // len(images)
        with Image.open(io.BytesIO(image)) as opened:
            part = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), (right - left, height))
        fitted.paste(part, (left, 0))
    strokes = fitted.filter(ImageFilter.ModeFilter(9))
    toned = ImageOps.colorize(ImageOps.autocontrast(strokes.convert("L")), dark, light, middle)
    canvas = Image.blend(strokes, toned, 0.7).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(canvas)
    lines = textwrap.wrap(prompt, 42)[:3]
    top = size[1] - 60 - 44 * len(lines)
    draw.rectangle((0, top, size[0], size[1]), fill=dark)
    draw.multiline_text((40, top + 24), "\n".join(lines), fill=light, font=_font(36), spacing=8)
    out = io.BytesIO()
    canvas.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Pillow's own font has no Cyrillic; it is the last resort.
    for name in ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
