"""The virtual camera, on a fake device: no real v4l2loopback was here to try it on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from made_pictures import shown

from daemon.config import load
from daemon.errors import RunError, UsageError
from viewer.config import ViewerConfig
from viewer.sinks.v4l2 import (
    CAPABILITY,
    FORMAT,
    HAS_NODE_CAPABILITIES,
    IS_OUTPUT,
    VIDIOC_QUERYCAP,
    VIDIOC_S_FMT,
    YU12,
    V4l2,
)

SIZE_BYTES = 192 * 112 * 3 // 2


class Loopback:
    """Answers as v4l2loopback does; what is written goes to an ordinary file."""

    capabilities = (HAS_NODE_CAPABILITIES | IS_OUTPUT, IS_OUTPUT)
    error: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.formats: list[tuple[int, ...]] = []
        path.touch()

    def ioctl(self, file: int, request: int, argument: bytearray) -> int:
        if request == VIDIOC_QUERYCAP:
            assert len(argument) == 104  # sizeof(struct v4l2_capability)
            CAPABILITY.pack_into(argument, 0, b"v4l2 loopback", b"denc", b"", 0, *self.capabilities)
            return 0
        assert request == VIDIOC_S_FMT
        assert len(argument) == 208  # sizeof(struct v4l2_format), 64 bits
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        self.formats.append(FORMAT.unpack(argument))
        return 0


@pytest.fixture
def loopback(tmp_path: Path) -> Loopback:
    return Loopback(tmp_path / "video10")


def test_pictures_are_written_whole_in_the_size_of_the_first(loopback: Loopback) -> None:
    sink = V4l2(loopback.path, loopback.ioctl)
    for picture in (shown(0), shown(1), shown(2, width=64, height=64)):
        sink.show(picture)
    sink.close()
    ((kind, width, height, pixels, _, line, size, *_),) = loopback.formats
    assert (kind, width, height, pixels, line, size) == (2, 192, 112, YU12, 192, SIZE_BYTES)
    data = np.frombuffer(loopback.path.read_bytes(), np.uint8).reshape(3, SIZE_BYTES)
    planes = shown(1).frame.planes
    assert np.array_equal(data[1], np.concatenate([plane.ravel() for plane in planes.channels]))
    assert (data[2].reshape(168, 192)[:112, :40] == 16).all()  # black beside the square one


def test_a_picture_of_odd_size_becomes_even(loopback: Loopback) -> None:
    sink = V4l2(loopback.path, loopback.ioctl)
    sink.show(shown(0, width=193, height=113))
    sink.close()
    assert loopback.path.stat().st_size == SIZE_BYTES


def test_where_there_is_none_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"video10.*modprobe v4l2loopback"):
        V4l2(tmp_path / "video10")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"no video device.*modprobe v4l2loopback"):
        V4l2(tmp_path / "file")


@pytest.mark.parametrize("capabilities", [(1, 0), (HAS_NODE_CAPABILITIES | IS_OUTPUT, 1)])
def test_a_real_camera_is_refused(loopback: Loopback, capabilities: tuple[int, int]) -> None:
    loopback.capabilities = capabilities
    with pytest.raises(UsageError, match=r"\(denc\) is a camera"):
        V4l2(loopback.path, loopback.ioctl)


def test_a_device_that_is_kept_at_another_size_ends_the_sink_with_the_reason(
    loopback: Loopback,
) -> None:
    sink = V4l2(loopback.path, loopback.ioctl)
    loopback.error = errno.EBUSY
    with pytest.raises(RunError, match="close that program"):
        sink.show(shown(0))


def test_the_setting_takes_a_number_or_a_path() -> None:
    def device(value: object) -> Path | None:
        return load(ViewerConfig, None, {"listen": "1", "v4l2": value}).v4l2

    assert device("/dev/video10") == Path("/dev/video10")
    assert device("10") == device(10) == Path("/dev/video10")
    with pytest.raises(UsageError, match="/dev/video10"):
        device("")
