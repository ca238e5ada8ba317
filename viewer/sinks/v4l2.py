"""The restored video as a camera of this machine, through v4l2loopback.

Conferencing programs, OBS and browsers then see it as any camera. Two ioctls are all that a virtual
camera needs of V4L2 (Linux, `videodev2.h`); what else offers them is under the GPL.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from daemon.errors import RunError, UsageError
from daemon.log import event
from viewer.picture import Shown
from viewer.sinks.fit import fitted

VIDIOC_QUERYCAP = 0x80685600
VIDIOC_S_FMT = 0xC0D05605  # of the 64-bit ABI
CAPABILITY = struct.Struct("16s32s32sIII12x")  # driver, card, bus, version, all, this node's
FORMAT = struct.Struct("I4x12I152x")  # type, then v4l2_pix_format, padded to its union
IS_OUTPUT = 0x2  # V4L2_CAP_VIDEO_OUTPUT
HAS_NODE_CAPABILITIES = 0x80000000  # V4L2_CAP_DEVICE_CAPS
BUFFER_OUTPUT, FIELD_NONE, REC709, LIMITED = 2, 1, 3, 2
EXTENDED = 0xFEEDCAFE  # V4L2_PIX_FMT_PRIV_MAGIC: the fields behind it count
YU12 = int.from_bytes(b"YU12", "little")  # V4L2_PIX_FMT_YUV420: the three planes one after another

Ioctl: TypeAlias = "Callable[[int, int, bytearray], object]"

_log = logging.getLogger(__name__)


class V4l2:
    """Writes pictures to a loopback device; all are fitted into the size of the first, because the
    programs that read cannot follow a new one."""

    name = "v4l2"
    capacity = 1

    def __init__(self, device: Path, ioctl: Ioctl = fcntl.ioctl) -> None:
        """Raises UsageError for what is no virtual camera, with how to get one."""
        self._device = device
        self._ioctl = ioctl
        self._size: tuple[int, int] | None = None
        try:
            self._file = os.open(device, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise UsageError(_unusable(device, error)) from error
        try:
            self._check()
        except UsageError:
            self.close()
            raise

    def show(self, value: Shown) -> None:
        """Raises RunError where the device refuses; that ends this sink alone."""
        planes = value.frame.planes
        if self._size is None:
            self._size = self._start(planes.width & ~1, planes.height & ~1)
        planes = fitted(planes, self._size)
        data = b"".join(plane.tobytes() for plane in planes.channels)
        try:
            os.write(self._file, data)
        except BlockingIOError:
            pass  # no buffer is free: a reader is slow, the next picture will do
        except OSError as error:
            raise RunError(f"{self._device} takes no pictures: {error.strerror}") from error

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _check(self) -> None:
        answer = bytearray(CAPABILITY.size)
        try:
            self._ioctl(self._file, VIDIOC_QUERYCAP, answer)
        except OSError as error:
            raise UsageError(f"{self._device} is no video device. {_HOW}") from error
        _, card, _, _, every, of_node = CAPABILITY.unpack(answer)
        if not (of_node if every & HAS_NODE_CAPABILITIES else every) & IS_OUTPUT:
            name = card.split(b"\0")[0].decode(errors="replace")
            raise UsageError(f"{self._device} ({name}) is a camera, not a virtual one. {_HOW}")

    def _start(self, width: int, height: int) -> tuple[int, int]:
        size_bytes = width * height * 3 // 2
        form = bytearray(
            FORMAT.pack(
                BUFFER_OUTPUT, width, height, YU12, FIELD_NONE, width, size_bytes, REC709,
                EXTENDED, 0, 0, LIMITED, 0,
            )
        )  # fmt: skip
        try:
            self._ioctl(self._file, VIDIOC_S_FMT, form)
        except OSError as error:
            busy = error.errno == errno.EBUSY
            what = "a program that reads it keeps it at another size: close that program first"
            reason = what if busy else error.strerror
            raise RunError(f"{self._device} cannot be {width}x{height}: {reason}") from error
        _, taken_width, taken_height, pixels, *_ = FORMAT.unpack(form)
        if pixels != YU12 or taken_width % 2 or taken_height % 2 or not taken_width * taken_height:
            raise RunError(f"{self._device} takes no 4:2:0 pictures; load v4l2loopback anew")
        event(_log, "virtual camera", device=self._device, size=f"{taken_width}x{taken_height}")
        return taken_width, taken_height


_HOW = (
    "A virtual camera comes with v4l2loopback: sudo apt install v4l2loopback-dkms, then sudo "
    'modprobe v4l2loopback video_nr=10 card_label=denc exclusive_caps=1, and "--v4l2 /dev/video10"'
)


def _unusable(device: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"no right to open {device}: sudo usermod -aG video $USER, then log in again"
    return f"cannot open {device}: {error.strerror}. {_HOW}"
