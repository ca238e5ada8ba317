"""The guiding stage: it follows what is sent, and fits at the right times."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

from small_clips import H, W, frame

from daemon.figures import Figures
from engines.carrier import CarrierEncoder
from engines.codec import open_encoder
from engines.errors import WeightsError
from engines.frame import Frame
from engines.guide import GUIDE_SIZE, Guide
from engines.guide_fitter import GuideFitter
from engines.latent import Latent
from streamer.guiding import FIRST_US, LOOK_US, SPACING_US, WAITING_MAX, Guiding, Sent

FRAME_US = 40_000


class Fitter(GuideFitter):
    """Notes what it is given."""

    def __init__(self) -> None:
        self.seen: list[Latent] = []
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1

    def fit(self, latent: Latent, source: Frame) -> Guide | None:
        assert latent.number == source.number
        self.seen.append(latent)
        return Guide(b"me", 1.0, (len(self.seen) % 100,) * GUIDE_SIZE)


def sent(count: int, scale: int = 2, first: int = 0) -> list[Sent]:
    """A stream of plain latents, an IRAP first."""
    maker = open_encoder("plain", threads=1)
    out: list[Sent] = []
    encoder = None
    for number in range(first, first + count):
        shown = frame(number)
        latent = maker.encode(shown, scale=scale, bits=8)
        if encoder is None:
            size = latent.planes.width, latent.planes.height
            encoder = CarrierEncoder(*size, 25, qp=30, preset="ultrafast", threads=1)
        (picture,) = encoder.encode(latent.planes, number)
        out.append(Sent(picture, latent, shown))
    return out


def test_a_beginning_is_looked_at_more_often_than_what_follows() -> None:
    fitter = Fitter()
    guiding = Guiding(fitter, Figures())
    for each in sent(80):
        guiding.take(each)
    times = [latent.captured_us for latent in fitter.seen]
    start = frame(0).captured_us
    assert times[0] - start == LOOK_US
    looks = [time for time in times if time - start < FIRST_US]
    assert len(looks) >= 2
    gaps = [b - a for a, b in pairwise(times[len(looks) :])]
    assert gaps == [SPACING_US, SPACING_US]


def test_it_sees_what_the_viewer_sees() -> None:
    fitter = Fitter()
    guiding = Guiding(fitter, Figures())
    stream = sent(6)
    for each in stream:
        guiding.take(each)
    (latent,) = fitter.seen
    before = stream[latent.number].latent
    assert latent.qp == stream[latent.number].picture.qp > 0
    assert latent.planes.y.shape == before.planes.y.shape
    assert (latent.planes.y != before.planes.y).any()  # coded at QP 30
    assert abs(latent.planes.y.astype(float) - before.planes.y).mean() < 10


def test_a_guide_is_for_pictures_of_its_scale() -> None:
    guiding = Guiding(Fitter(), Figures())
    two, three = sent(12), sent(2, scale=3, first=12)
    assert guiding.guide(two[0].latent) is None
    for each in two:
        guiding.take(each)
    assert guiding.guide(two[-1].latent) is not None
    assert guiding.guide(three[0].latent) is None
    for each in three:
        guiding.take(each)
    assert guiding.guide(three[-1].latent) is None  # not fitted yet


def test_after_a_hole_it_waits_for_an_irap() -> None:
    fitter = Fitter()
    guiding = Guiding(fitter, Figures())
    first, second = sent(WAITING_MAX + 10), sent(30, first=100)
    for each in first:  # nobody takes them: the oldest are lost, the IRAP with them
        guiding.put(each)
    guiding.close()
    guiding.run()
    assert fitter.seen == []
    guiding = Guiding(fitter, Figures())
    for each in (*first[5:], *second):
        guiding.take(each)
    assert fitter.seen[0].number >= 100


def test_it_works_in_a_thread_and_ends_when_closed() -> None:
    fitter, figures = Fitter(), Figures()
    guiding = Guiding(fitter, figures)
    thread = threading.Thread(target=guiding.run)
    thread.start()
    stream = sent(20)
    for each in stream:
        guiding.put(each)
    until = time.monotonic() + 10
    while guiding.guide(stream[-1].latent) is None and time.monotonic() < until:
        thread.join(0.01)
    assert guiding.guide(stream[-1].latent) is not None
    guiding.close()
    thread.join(10)
    assert not thread.is_alive()
    assert "guide_ms" in str(figures.snapshot())


def test_a_network_that_cannot_run_ends_only_the_guides() -> None:
    class Broken(Fitter):
        def fit(self, latent: Latent, source: Frame) -> Guide | None:
            raise WeightsError("no such graph")

    guiding = Guiding(Broken(), Figures(), waits=True)
    thread = threading.Thread(target=guiding.run)
    thread.start()
    for each in sent(WAITING_MAX + 15):  # nobody takes the last of them, and nobody is held up
        guiding.put(each)
    thread.join(10)
    assert not thread.is_alive()


def test_damaged_pictures_are_survived() -> None:
    fitter = Fitter()
    guiding = Guiding(fitter, Figures())
    stream = sent(10)
    broken = Sent(
        type(stream[3].picture)(b"\0\0\0\1\x40\x01junk", False, 30.0, 3), stream[3].latent,
        stream[3].frame,
    )  # fmt: skip
    for each in (*stream[:3], broken, *stream[4:], *sent(15, first=50)):
        guiding.take(each)
    assert fitter.seen
    assert (stream[0].frame.width, stream[0].frame.height) == (W, H)
