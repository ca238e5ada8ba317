"""Access units to latent pictures, and what to do when some are lost or damaged.

After a loss or a damaged access unit nothing is shown until the next IRAP, which is asked for at
once: the picture freezes for a round trip, and no half-predicted picture reaches the network or
the screen. A fresh decoder starts there, so nothing of the broken past is referred to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from daemon.figures import Figures
from daemon.log import event
from engines.carrier import CarrierDecoder
from engines.codebook import BITS_MAX, Codebook
from engines.errors import CarrierError
from engines.frame import Planes
from engines.latent import Latent, latent_size
from link.clock import Clock
from link.side_info import NO_NETWORK, SideInfo
from viewer.picture import Decoded
from viewer.timeline import Stamped

IRAP_REQUEST_INTERVAL_US = 500_000
REORDER_MAX = 16  # pictures an H.265 decoder may hold back (sps_max_dec_pic_buffering)

_log = logging.getLogger(__name__)


class StreamDecoder:
    """Decodes the access units of one session; `request_irap` reaches its sender."""

    def __init__(self, request_irap: Callable[[], None], figures: Figures, clock: Clock) -> None:
        self._request_irap = request_irap
        self._figures = figures
        self._clock = clock
        self._carrier = CarrierDecoder()
        self._pending: dict[int, Stamped] = {}  # by sequence, until their picture is out
        self._last_sequence: int | None = None
        self._waits_for_irap = True
        self._asked_us: int | None = None
        self._kind = ""

    def decode(self, stamped: Stamped) -> list[Decoded]:
        """The pictures that this access unit completes: one, unless the sender reorders."""
        unit = stamped.unit
        contiguous = self._last_sequence in (None, stamped.sequence - 1)
        self._last_sequence = stamped.sequence
        if unit.gap_before or not contiguous:
            self._waits_for_irap = True
        if self._waits_for_irap and not self._restart(stamped):
            self._figures.add("frames_lost")
            return []
        self._pending[stamped.sequence] = stamped
        try:
            pictures = self._carrier.decode(unit.data, stamped.sequence)
        except CarrierError as error:
            self._damaged(str(error))
            return []
        if len(self._pending) > REORDER_MAX + len(pictures):
            self._damaged(f"no picture out of {len(self._pending)} access units")
            return []
        return [
            self._decoded(self._pending.pop(sequence), planes)
            for sequence, planes in pictures
            if sequence in self._pending
        ]

    def _restart(self, stamped: Stamped) -> bool:
        if not stamped.unit.irap:
            self._ask()
            return False
        self._carrier = CarrierDecoder()
        self._pending.clear()
        self._waits_for_irap = False
        self._asked_us = None
        return True

    def _damaged(self, reason: str) -> None:
        self._figures.add("access_units_damaged")
        self._figures.add("frames_lost", len(self._pending))
        event(_log, "damaged access unit", level=logging.DEBUG, reason=reason)
        self._pending.clear()
        self._waits_for_irap = True
        self._ask()

    def _ask(self) -> None:
        now_us = self._clock()
        if self._asked_us is None or now_us - self._asked_us >= IRAP_REQUEST_INTERVAL_US:
            self._asked_us = now_us
            self._request_irap()

    def _decoded(self, stamped: Stamped, planes: Planes) -> Decoded:
        info = stamped.info
        if info is not None and not _fits(info, planes):
            self._figures.add("side_info_errors")
            info = None
        self._tell(info, planes)
        latent = Latent(
            planes=planes,
            source_width=planes.width if info is None else info.source_width,
            source_height=planes.height if info is None else info.source_height,
            scale=1 if info is None else info.scale,
            codebook=Codebook.uniform(BITS_MAX) if info is None else stamped.codebook,
            qp=0.0 if info is None else info.qp,
            number=stamped.number,
            captured_us=stamped.captured_us,
            guide=stamped.guide,
        )
        return Decoded(
            latent=latent,
            network_id=NO_NETWORK if info is None else info.network_id,
            size_bytes=stamped.size_bytes,
            irap=stamped.unit.irap,
            arrived_us=stamped.unit.received_us,
            capture_known=stamped.info is not None,
            fps=0.0 if info is None else info.fps,
            decoded_us=self._clock(),
        )

    def _tell(self, info: SideInfo | None, planes: Planes) -> None:
        """Figures of the stream, and one line whenever its kind changes."""
        if info is None:
            size, scale, bits = f"{planes.width}x{planes.height}", 1, BITS_MAX
            kind = f"{size} plain H.265"
        else:
            size, scale, bits = f"{info.source_width}x{info.source_height}", info.scale, info.bits
            self._figures.set("qp", info.qp)
            kind = f"{size} scale {scale} network {info.network_id.hex()}"
        self._figures.set("source_size", size)
        self._figures.set("scale", scale)
        self._figures.set("bits", bits)
        if kind == self._kind:
            return
        self._kind = kind
        if info is None:
            event(
                _log,
                "no usable side information: a plain H.265 sender, shown as it comes",
                level=logging.WARNING,
                size=size,
            )
        else:
            latent = f"{planes.width}x{planes.height}"
            event(_log, "stream", size=size, scale=scale, latent=latent, fps=info.fps)


def _fits(info: SideInfo, planes: Planes) -> bool:
    """Whether the picture has the size that its side information implies."""
    expected = latent_size(info.source_width, info.source_height, info.scale)
    return expected == (planes.width, planes.height)
