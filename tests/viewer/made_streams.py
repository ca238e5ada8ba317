"""Streams made for the tests of the viewer: moving pictures, coded like the streamer codes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from daemon.stream_file import StreamFile
from engines.carrier import CarrierEncoder
from engines.codec import open_encoder
from engines.frame import Frame, Planes
from link.access_unit import AccessUnit
from link.side_info import NO_NETWORK, SideInfo, insert_side_info

FPS = 25
START_US = 1_700_000_000_000_000
TICKS = 90_000 // FPS


def frame(number: int, width: int = 192, height: int = 112) -> Frame:
    """A smooth picture that moves with its number."""
    rows, columns = np.mgrid[0:height, 0:width]
    y = 128 + 60 * np.sin((columns + 3 * number) / 17) + 40 * np.cos((rows + number) / 11)
    half = ((height + 1) // 2, (width + 1) // 2)
    u = np.full(half, 110 + number % 20)
    v = np.full(half, 140 - number % 20)
    planes = Planes(*(plane.astype(np.uint8) for plane in (y, u, v)))
    return Frame(planes, number, START_US + number * 1_000_000 // FPS)


def coded(
    count: int,
    *,
    width: int = 192,
    height: int = 112,
    scale: int = 2,
    keyframe_interval: int = 10,
    side_info: bool = True,
    network_id: bytes = NO_NETWORK,
    first: int = 0,
    first_timestamp: int = 0,
    qp: int = 20,
) -> list[AccessUnit]:
    """Access units of `count` frames; side information stands in front of IRAPs only."""
    encoder = open_encoder("plain", threads=1)
    carrier: CarrierEncoder | None = None
    units = []
    for number in range(first, first + count):
        picture = frame(number, width, height)
        latent = encoder.encode(picture, scale=scale, bits=8)
        if carrier is None:
            carrier = CarrierEncoder(
                latent.planes.width,
                latent.planes.height,
                FPS,
                qp=qp,
                preset="ultrafast",
                keyframe_interval=keyframe_interval,
                threads=1,
            )
        for made in carrier.encode(latent.planes, number):
            data = made.data
            if made.irap and side_info:
                info = SideInfo(
                    source_width=width,
                    source_height=height,
                    scale=scale,
                    bits=8,
                    qp=float(qp),
                    network_id=network_id,
                    frame_number=number,
                    captured_us=picture.captured_us,
                    fps=float(FPS),
                    codebook=latent.codebook.to_bytes(),
                )
                data = insert_side_info(data, info)
            timestamp = (first_timestamp + (number - first) * TICKS) % 2**32
            units.append(AccessUnit(data, timestamp, made.irap))
    if carrier is not None:
        carrier.close()
    return units


def arriving(units: list[AccessUnit], start_us: int = 0) -> Iterator[AccessUnit]:
    """The same, stamped as if they arrived in real time."""
    for number, unit in enumerate(units):
        yield replace(unit, received_us=start_us + number * 1_000_000 // FPS)


def stream_file(path: Path, units: list[AccessUnit]) -> Path:
    """The stream as `denc-stream --output` writes it."""
    file = StreamFile(path)
    for number, unit in enumerate(units):
        file.write(unit, START_US + number * 1_000_000 // FPS)
    file.close()
    return path
