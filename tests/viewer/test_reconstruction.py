"""Restoration: order, networks that change or fail, and the messages about it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from made_pictures import decoded

from daemon.figures import Figures
from engines.codec import Restorer, open_restorer
from engines.errors import UnknownEngineError, WeightsError
from engines.frame import Frame
from engines.latent import Latent
from viewer.buffer import LatentBuffer
from viewer.latency import Latency
from viewer.outlet import Outlet
from viewer.picture import Shown
from viewer.reconstruct import Reconstruction
from viewer.restorers import Restorers

NETWORK, OTHER = b"\1" * 8, b"\2" * 8


class Network(Restorer):
    """Stands in for a trained network; raises `error` at its n-th picture."""

    def __init__(
        self, name: str, error: Exception | None = None, at: int = 0, takes_s: float = 0
    ) -> None:
        super().__init__(name, None, 1)
        self.error, self.at, self.takes_s = error, at, takes_s
        self.batches: list[int] = []

    def restore(self, latents: Sequence[Latent]) -> list[Frame]:
        self.batches.append(len(latents))
        time.sleep(self.takes_s)
        if self.error is not None and latents[-1].number >= self.at:
            raise self.error
        return super().restore(latents)


class Networks:
    """Opens stand-ins by network id, everything else for real."""

    def __init__(self, **known: Network) -> None:
        self.known = {NETWORK: known.get("network"), OTHER: known.get("other")}
        self.opened: list[bytes] = []

    def __call__(
        self, engine: str, network_id: bytes, *, threads: int, fidelity: float
    ) -> Restorer:
        self.opened.append(network_id)
        if engine != "plain" and (network := self.known.get(network_id)):
            return network
        return open_restorer("plain", network_id, threads=threads)


def run(restorers: Restorers, *kinds: bytes) -> tuple[list[Shown], Figures, list[BaseException]]:
    """Restore one picture a kind, all in the buffer before it begins."""
    figures, shown, failures = Figures(), [], []
    buffer = LatentBuffer(budget_us=None, batch_max=4, clock=lambda: 0, dropped=lambda *_: None)
    for number, network_id in enumerate(kinds):
        buffer.put(decoded(number, network_id=network_id, arrived_us=1000))
    reconstruction = Reconstruction(
        buffer=buffer,
        restorers=restorers,
        outlets=[Outlet(shown.append, figures, Latency(figures), live=False)],
        failed=failures.append,
        monotonic=lambda: 71_000,
        unix=lambda: 1_700_000_000_100_000,
    )
    reconstruction.close(discard=False)
    return shown, figures, failures


def into(
    shown: list[Shown], buffer: LatentBuffer, restorers: Restorers, *, live: bool = False
) -> Reconstruction:
    """Restoration of a buffer while it is being filled."""
    figures = Figures()
    return Reconstruction(
        buffer=buffer,
        restorers=restorers,
        outlets=[Outlet(shown.append, figures, Latency(figures), live=live)],
        failed=pytest.fail,
        monotonic=lambda: 0,
        unix=lambda: 0,
    )


def test_pictures_come_out_in_order_in_batches_at_source_size() -> None:
    network = Network("lite")
    restorers = Restorers("auto", threads=1, opener=Networks(network=network))
    shown, figures, _ = run(restorers, *[NETWORK] * 6)
    assert [s.frame.number for s in shown] == list(range(6))
    assert {(s.frame.width, s.frame.height) for s in shown} == {(192, 112)}
    assert network.batches == [4, 2]
    assert figures.snapshot()["engine"] == "lite"


@pytest.mark.parametrize(
    ("scale", "engines"), [(1, ["lite"] * 5 + ["plain"] * 7), (2, ["lite"] * 12)]
)
def test_a_machine_that_is_too_slow_shows_pictures_of_full_size_as_they_come(
    scale: int, engines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.buffer.OVERLOADED_BUDGET_US", 10_000_000)  # all wait beforehand
    network = Network("lite", takes_s=0.05)
    shown: list[Shown] = []
    buffer = LatentBuffer(
        budget_us=10_000_000, batch_max=1, clock=lambda: 0, dropped=lambda *_: None
    )
    for number in range(12):
        buffer.put(decoded(number, network_id=NETWORK, scale=scale))
    reconstruction = into(
        shown, buffer, Restorers("auto", threads=1, opener=Networks(network=network))
    )
    reconstruction.close(discard=False)
    assert [s.engine for s in shown] == engines


def test_latency_of_a_sender_that_tells_no_times_counts_from_its_arrival() -> None:
    shown: list[Shown] = []
    buffer = LatentBuffer(budget_us=400_000, batch_max=1, clock=lambda: 0, dropped=lambda *_: None)
    buffer.put(replace(decoded(0, arrived_us=-70_000), capture_known=False))
    into(shown, buffer, Restorers("plain", threads=1), live=True).close(discard=False)
    assert shown[0].latency_us == 70_000


def test_latency_of_a_file_counts_from_its_arrival() -> None:
    shown, _, _ = run(Restorers("plain", threads=1), NETWORK)
    assert shown[0].latency_us == 70_000


def test_the_engine_follows_the_stream_to_another_network() -> None:
    networks = Networks(network=Network("lite"), other=Network("best"))
    restorers = Restorers("auto", threads=1, opener=networks)
    shown, _, _ = run(restorers, NETWORK, NETWORK, OTHER, NETWORK)
    assert [s.engine for s in shown] == ["lite", "lite", "best", "lite"]


def test_a_stream_without_a_partner_is_upscaled_with_one_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        shown, _, _ = run(Restorers("auto", threads=1), *[b"\7" * 8] * 3)
    assert [s.engine for s in shown] == ["plain"] * 3
    assert sum(record.getMessage() == "plain upscaling" for record in caplog.records) == 1


def test_a_network_that_fails_gives_way_to_plain_upscaling(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = Network("lite", RuntimeError("out of\nmemory"), at=4)
    restorers = Restorers("auto", threads=1, opener=Networks(network=network))
    shown, _, failures = run(restorers, *[NETWORK] * 10)
    assert [s.frame.number for s in shown] == list(range(10))
    assert [s.engine for s in shown] == ["lite"] * 4 + ["plain"] * 6
    assert "lite: out of memory" in str([vars(record) for record in caplog.records])
    assert failures == []


def test_pictures_that_nothing_can_restore_are_lost_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Restorer.restore

    def restore(self: Restorer, latents: Sequence[Latent]) -> list[Frame]:
        if latents[0].number < 4:
            raise MemoryError
        return real(self, latents)

    monkeypatch.setattr(Restorer, "restore", restore)
    shown, figures, failures = run(Restorers("plain", threads=1), *[NETWORK] * 6)
    assert [s.frame.number for s in shown] == [4, 5]
    assert figures.snapshot()["frames_lost"] == 4
    assert failures == []


def test_damaged_weights_found_while_running_end_an_engine_that_was_asked_for() -> None:
    network = Network("lite", WeightsError("lite.safetensors: wrong SHA-256"))
    restorers = Restorers("lite", threads=1, opener=Networks(network=network))
    shown, _, failures = run(restorers, NETWORK)
    assert shown == []
    assert "lite.safetensors" in str(failures[0])


def test_damaged_weights_found_while_running_are_replaced_with_auto() -> None:
    network = Network("lite", WeightsError("lite.safetensors: wrong SHA-256"))
    restorers = Restorers("auto", threads=1, opener=Networks(network=network))
    assert [s.engine for s in run(restorers, NETWORK)[0]] == ["plain"]


def test_an_unknown_engine_is_refused_at_the_start() -> None:
    with pytest.raises((UnknownEngineError, WeightsError)):
        Restorers("liet", threads=1)


def test_damaged_weights_refuse_an_engine_asked_for_at_the_start() -> None:
    def opener(engine: str, network_id: bytes, *, threads: int, fidelity: float) -> Restorer:
        raise WeightsError("/weights/lite.safetensors: wrong SHA-256")

    with pytest.raises(WeightsError, match=r"lite\.safetensors"):
        Restorers("lite", threads=1, opener=opener)


def test_a_file_larger_than_the_buffer_does_not_hang_its_reader() -> None:
    buffer = LatentBuffer(budget_us=None, batch_max=2, clock=lambda: 0, dropped=lambda *_: None)
    shown: list[Shown] = []
    reconstruction = into(shown, buffer, Restorers("plain", threads=1))
    writer = threading.Thread(target=lambda: [buffer.put(decoded(n)) for n in range(150)])
    writer.start()
    writer.join(20)
    reconstruction.close(discard=False)
    assert len(shown) == 150
