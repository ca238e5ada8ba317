"""The engine `auto` with made networks: what it begins with, tries, takes and leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import pytest
from made_pictures import decoded

from engines.codec import PLAIN, Partner, Restorer, open_restorer
from engines.errors import WeightsError
from engines.frame import Frame
from engines.latent import Latent
from viewer.pace import Pace
from viewer.restorers import Restorers
from viewer.speed_book import SpeedBook

NETWORK = b"\1" * 8
SPACING_US = 400_000.0  # of which a busy machine leaves enough
BEST, CHEAP = Partner("best", "aa", 30.0), Partner("cheap", "bb", 13.0)


class Made(Restorer):
    """Takes as long as it is told."""

    def __init__(self, name: str, takes_s: float, error: str = "") -> None:
        super().__init__(name, None, 1)
        self.takes_s, self.error = takes_s, error
        self.runs: list[str] = []  # threads

    def restore(self, latents: Sequence[Latent]) -> list[Frame]:
        self.runs.append(threading.current_thread().name)
        if self.error:
            raise RuntimeError(self.error)
        time.sleep(self.takes_s)
        return super().restore(latents)


def probes() -> list[threading.Thread]:
    """What is tried in the background right now."""
    return [thread for thread in threading.enumerate() if thread.name == "probe"]


class Bench:
    """Restorers over two made networks, with a clock that only the test moves."""

    def __init__(
        self,
        best: Made | None = None,
        cheap: Made | None = None,
        *,
        book: SpeedBook | None = None,
        partners: Sequence[Partner] = (BEST, CHEAP),
        waits: bool = False,
    ) -> None:
        self.now_us = 0
        self.made = {"best": best or Made("best", 0.01), "cheap": cheap or Made("cheap", 0.003)}
        self.opened: list[str] = []
        self.book = book or SpeedBook()
        self.restorers = Restorers(
            "auto",
            threads=1,
            opener=self._open,
            partners=lambda network_id: tuple(partners),
            book=self.book,
            clock=lambda: self.now_us,
            waits=waits,
        )

    def show(self, seconds: float, load: float, scales: Sequence[int] = (2,)) -> list[str]:
        """The engine of each picture, while restoring takes `load` of the time; streams of several
        scales take turns."""
        names = []
        for scale in islice(cycle(scales), round(seconds * 25)):
            names.append(self.one(Pace(load * SPACING_US, SPACING_US), scale))
            self.now_us += 40_000
            if probes():
                time.sleep(0.002)  # a loop that never waits would slow down what is timed
        return names

    def one(self, pace: Pace = Pace(), scale: int = 2) -> str:  # noqa: B008 - frozen
        picture = decoded(0, network_id=NETWORK, scale=scale)
        return self.restorers.for_picture(picture, pace)[0].name

    def probed(self) -> None:
        """Wait for what is tried in the background."""
        for thread in probes():
            thread.join(10)

    def _open(self, engine: str, network_id: bytes, *, threads: int, fidelity: float) -> Restorer:
        self.opened.append(engine)
        if engine == PLAIN:
            return open_restorer(PLAIN, network_id, threads=threads)
        return self.made[engine]


def test_the_better_network_is_warmed_in_the_background_and_then_taken() -> None:
    bench = Bench()
    assert set(bench.show(1.08, load=0.3)) == {"cheap"}
    bench.probed()
    assert set(bench.made["best"].runs) == {"probe"}, "no picture waits for its warming"
    assert bench.show(0.2, load=0.3) == ["best"] * 5
    assert "best takes" in bench.restorers.reason


def test_a_network_that_cannot_hold_is_refused_with_its_time_and_not_asked_again_soon() -> None:
    bench = Bench(Made("best", 0.6))
    bench.show(1.2, load=0.3)
    bench.probed()
    assert set(bench.show(8, load=0.3)) == {"cheap"}
    assert len(bench.made["best"].runs) <= 6
    assert "best would take about " in bench.restorers.reason
    assert int(bench.restorers.reason.rsplit(" ", 1)[1]) >= 600


def test_multiplications_spare_a_cpu_the_try() -> None:
    bench = Bench(partners=(Partner("best", "aa", 300.0), CHEAP))
    assert set(bench.show(100, load=0.5)) == {"cheap"}
    assert bench.opened == ["cheap"]
    assert "best would take about 46" in bench.restorers.reason


def test_a_slower_device_steps_down_to_plain_and_comes_back() -> None:
    bench = Bench()
    assert bench.show(2, load=1.6)[-1] == PLAIN
    assert set(bench.show(9, load=0.01)) == {PLAIN}
    bench.show(2, load=0.01)
    bench.probed()
    assert bench.show(0.2, load=0.01)[-1] == "cheap"


def test_a_network_that_fails_gives_way_to_the_next_one() -> None:
    bench = Bench()
    bench.show(1.2, load=0.3)
    bench.probed()
    assert bench.show(0.1, load=0.3)[-1] == "best"
    assert bench.restorers.give_up(RuntimeError("out of memory")).name == "cheap"
    assert "out of memory" in bench.restorers.reason
    assert set(bench.show(30, load=0.3)) == {"cheap"}
    assert bench.restorers.give_up(RuntimeError("again")).name == PLAIN


def test_a_network_that_fails_in_the_background_is_never_seen() -> None:
    bench = Bench(Made("best", 0, error="no such operator"))
    bench.show(1.2, load=0.3)
    bench.probed()
    assert set(bench.show(60, load=0.3)) == {"cheap"}
    assert len(bench.made["best"].runs) == 1


def test_what_was_measured_once_is_begun_with(tmp_path: Path) -> None:
    bench = Bench(book=SpeedBook(tmp_path / "speeds.json"))
    bench.show(1.2, load=0.3)
    bench.probed()
    bench.show(3, load=0.05)
    again = Bench(book=SpeedBook(tmp_path / "speeds.json"))
    assert again.one() == "best"
    other_threads = Restorers(
        "auto",
        threads=2,
        opener=again._open,
        partners=lambda network_id: (BEST, CHEAP),
        book=SpeedBook(tmp_path / "speeds.json"),
    )
    assert other_threads.for_picture(decoded(0, network_id=NETWORK), Pace())[0].name == "cheap"


def test_fidelity_holds_across_engines() -> None:
    bench = Bench()
    bench.show(1.2, load=0.3)
    bench.restorers.set_fidelity(0.9)
    bench.probed()
    assert bench.show(0.1, load=0.3)[-1] == "best"
    assert bench.made["best"].fidelity == bench.restorers.fidelity == 0.9


def test_another_scale_of_the_same_source_keeps_the_engine() -> None:
    bench = Bench()
    bench.show(1.2, load=0.3)
    bench.probed()
    bench.show(0.2, load=0.3)
    assert bench.one(scale=4) == "best"


def test_streams_of_one_size_and_two_scales_climb_and_step_down_together() -> None:
    bench = Bench()
    bench.show(1.2, load=0.3, scales=(2, 3))
    bench.probed()
    assert bench.show(0.2, load=0.3, scales=(2, 3))[-1] == "best"
    assert bench.show(4, load=1.6, scales=(2, 3))[-1] == PLAIN


@pytest.mark.parametrize("fails", [False, True])
def test_what_an_engine_costs_at_one_scale_is_not_what_its_successor_costs_at_another(
    fails: bool,
) -> None:
    bench = Bench()

    def is_new(scale: int) -> bool:
        picture = decoded(0, network_id=NETWORK, scale=scale)
        return bench.restorers.for_picture(picture, Pace())[1]

    assert [is_new(scale) for scale in (2, 3, 2, 3)] == [True, True, False, False]
    bench.show(0.5 if fails else 2, load=1.6)
    if fails:
        bench.restorers.give_up(RuntimeError("out of memory"))
    assert bench.one() == PLAIN
    assert [is_new(scale) for scale in (2, 3, 2, 3)] == [False, True, False, False]


@pytest.mark.parametrize(
    ("best_s", "kmacs", "chosen", "runs"),
    [(0.01, 30.0, "best", 1), (0.2, 30.0, "cheap", 1), (0.01, 30_000.0, "cheap", 0)],
)
def test_a_file_is_restored_by_one_engine_that_is_measured_before(
    best_s: float, kmacs: float, chosen: str, runs: int
) -> None:
    bench = Bench(Made("best", best_s), partners=(Partner("best", "aa", kmacs), CHEAP), waits=True)
    assert set(bench.show(60, load=5)) == {chosen}
    assert (len(bench.made["best"].runs) > 0) == (runs > 0)


def test_networks_that_cannot_be_loaded_leave_plain_upscaling_and_say_why() -> None:

    def opener(engine: str, network_id: bytes, *, threads: int, fidelity: float) -> Restorer:
        if engine == PLAIN:
            return open_restorer(PLAIN, network_id, threads=threads)
        raise WeightsError(f"{engine}.safetensors is damaged")

    restorers = Restorers(
        "auto", threads=1, opener=opener, partners=lambda network_id: (BEST, CHEAP)
    )
    picture = decoded(0, network_id=NETWORK)
    assert restorers.for_picture(picture, Pace())[0].name == PLAIN
    assert "cheap.safetensors is damaged" in restorers.reason


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": "b", "c": -1, "d": NaN}', "[" * 100_000])
def test_a_damaged_speed_book_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "speeds.json"
    path.write_text(text)
    book = SpeedBook(path)
    assert [book.get(key) for key in "abcd"] == [None] * 4
    book.put("a", 31_000.4)
    assert SpeedBook(path).get("a") == 31_000


def test_a_speed_book_stays_small(tmp_path: Path) -> None:
    book = SpeedBook(tmp_path / "new" / "speeds.json")
    for number in range(400):
        book.put(str(number), 1.0 + number)
    kept = SpeedBook(tmp_path / "new" / "speeds.json")
    assert kept.get("0") is None
    assert kept.get("399") == 400
