"""What the page can do, for programs too; `viewer/page/openapi.json` describes it.

GET      /api/streams             what is received
GET, PUT /api/fidelity            {"fidelity": 0..1}, of the running restorers
GET, PUT /api/recording?stream=N  {"recording": true or false}
GET      /openapi.json
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from daemon.persistence import WRITE_ERRORS
from link.request_body import read_body
from link.whip_door import refusal
from viewer.restorers import Restorers
from viewer.sinks.channel import Channel, channel_of

DESCRIPTION = Path(__file__).parent.parent / "page" / "openapi.json"
JSON_TYPE = "application/json"
STREAM_FIGURES = (
    "peer", "source_size", "scale", "bits", "qp", "engine", "fps", "bits_per_s",
)  # fmt: skip
NO_PLACE = (
    "The page may not record: start denc-view with --recordings FOLDER or --record FILE.mkv, "
    "or give the page a token\n"
)

_log = logging.getLogger(__name__)


class WebApi:
    """Handlers of the event loop; what the disk may hold up runs in a thread."""

    def __init__(self, channels: Sequence[Channel], figures: Figures, restorers: Restorers) -> None:
        self._channels = channels
        self._figures = figures
        self._restorers = restorers
        self.routes = [
            web.get("/api/streams", self._streams),
            web.get("/api/fidelity", self._fidelity),
            web.put("/api/fidelity", self._set_fidelity),
            web.get("/api/recording", self._recording_state),
            web.put("/api/recording", self._set_recording),
            web.get("/openapi.json", self._description),
        ]

    async def _streams(self, request: web.Request) -> web.Response:
        streams = []
        for number, channel in enumerate(self._channels):
            figures = channel.figures.snapshot()
            stream = {name: figures[name] for name in STREAM_FIGURES if name in figures}
            stream |= {"id": str(number), "state": figures.get("state", "starting")}
            streams.append(stream)
        return _json({"streams": streams})

    async def _fidelity(self, request: web.Request) -> web.Response:
        return _json({"fidelity": self._restorers.fidelity})

    async def _set_fidelity(self, request: web.Request) -> web.Response:
        value = await _only_value(request, "fidelity")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise refusal(web.HTTPBadRequest, "fidelity must be a number from 0 to 1\n")
        self._restorers.set_fidelity(float(value))
        self._figures.set("fidelity", float(value))
        return await self._fidelity(request)

    async def _recording_state(self, request: web.Request) -> web.Response:
        recording = channel_of(request, self._channels).recording
        return _json(
            {
                "available": recording.is_available,
                "file": recording.file_name,
                "recording": recording.is_on,
            }
        )

    async def _set_recording(self, request: web.Request) -> web.Response:
        recording = channel_of(request, self._channels).recording
        value = await _only_value(request, "recording")
        if not isinstance(value, bool):
            raise refusal(web.HTTPBadRequest, "recording must be true or false\n")
        if value and not recording.is_available:
            raise refusal(web.HTTPConflict, NO_PLACE)
        try:
            await asyncio.to_thread(recording.start if value else recording.stop)
        except (UsageError, *WRITE_ERRORS) as error:
            raise refusal(web.HTTPConflict, f"{error}\n") from error
        event(_log, "recording" if value else "recording stopped", asked_by=request.remote)
        return await self._recording_state(request)

    async def _description(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(DESCRIPTION)


async def _only_value(request: web.Request, name: str) -> object:
    """The value of a JSON object with this one key. Raises 400 for anything else."""
    try:
        body = json.loads(await read_body(request, JSON_TYPE))
    except (ValueError, RecursionError) as error:
        raise refusal(web.HTTPBadRequest, "This is no JSON\n") from error
    if not isinstance(body, dict) or list(body) != [name]:
        raise refusal(web.HTTPBadRequest, f'Send {{"{name}": ...}} and nothing else\n')
    return body[name]


def _json(value: object) -> web.Response:
    return web.json_response(value, headers={"Cache-Control": "no-store"})
