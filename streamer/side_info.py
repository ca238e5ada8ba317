"""Which access units carry side information, and what it says."""

from __future__ import annotations

from engines.carrier import CodedPicture
from engines.guide import Guide
from engines.latent import Latent
from link.access_unit import AccessUnit
from link.sequence import rtp_timestamp
from link.side_info import SideInfo, insert_side_info

QP_STEP = 3.0  # tell the viewer when the QP has moved by this much
INTERVAL_US = 1_000_000  # and at least this often
QP_GRID = 4  # quarter steps
QP_MAX = 51.0
FRAME_NUMBERS = 1 << 32


class SideInfoWriter:
    """Turns coded pictures into access units; in some of them it inserts the side information.

    In every one it would cost 10 kbit/s, so it goes with IRAPs, when the QP moved by three or more
    since it was last told, and once a second; the first guide after an IRAP does not wait for that.
    Codebook and guide are in it when they have changed, and with IRAPs.
    """

    def __init__(self, network_id: bytes) -> None:
        self._network_id = network_id
        self._told_qp = 0.0
        self._told_us: int | None = None
        self._told_codebook = b""
        self._told_guide: Guide | None = None

    def access_unit(
        self, picture: CodedPicture, latent: Latent, fps: float, guide: Guide | None = None
    ) -> AccessUnit:
        """The access unit of a picture that `latent` was coded to, `fps` of which make a second.

        `guide`: what holds for it and those after it.
        """
        qp = min(max(round(picture.qp * QP_GRID) / QP_GRID, 0.0), QP_MAX)
        data = picture.data
        if picture.irap:
            self._told_guide = None
        first_guide = guide is not None and self._told_guide is None
        if first_guide or self._is_due(picture.irap, qp, latent.captured_us):
            codebook = latent.codebook.to_bytes()
            told = codebook == self._told_codebook and not picture.irap
            data = insert_side_info(
                data,
                SideInfo(
                    source_width=latent.source_width,
                    source_height=latent.source_height,
                    scale=latent.scale,
                    bits=latent.codebook.bits,
                    qp=qp,
                    network_id=self._network_id,
                    frame_number=latent.number % FRAME_NUMBERS,
                    captured_us=latent.captured_us,
                    fps=fps,
                    codebook=None if told else codebook,
                    guide=guide.to_bytes() if guide and guide != self._told_guide else None,
                ),
            )
            self._told_guide = guide or self._told_guide
            self._told_qp, self._told_us = qp, latent.captured_us
            self._told_codebook = codebook
        return AccessUnit(data, rtp_timestamp(latent.captured_us), picture.irap)

    def _is_due(self, irap: bool, qp: float, captured_us: int) -> bool:
        if irap or self._told_us is None or abs(qp - self._told_qp) >= QP_STEP:
            return True
        return not 0 <= captured_us - self._told_us < INTERVAL_US
