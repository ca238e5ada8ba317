"""The same loss of the peer, again and again: how soon it is over, and what it leaves behind."""

from __future__ import annotations

import asyncio

from tests.net.ends import DARK, STREAMER, VIEWER, Reconnect, darken, kill
from tests.net.matrix import BASE
from tests.soak.plan import Plan
from tests.soak.report import Result
from tests.soak.sample import Sample, look
from tests.soak.verdict import MEMORY_MIB_PER_100, of_growth, of_reconnects

KINDS = (STREAMER, VIEWER, DARK)
SURVIVORS = {STREAMER: (VIEWER,), VIEWER: (STREAMER,), DARK: (STREAMER, VIEWER)}
SETTLE_S = {STREAMER: 1.5, VIEWER: 5.5, DARK: 5.5}  # a session of 5 s begins the back-off anew
WARM_UP = 0.2  # of all reconnects


async def reconnect_often(kind: str, times: int, plan: Plan) -> Result:
    """Runs it; `plan.tell` gets 1 after each reconnect."""
    samples: dict[str, list[Sample]] = {end: [] for end in SURVIVORS[kind]}
    reconnects: list[Reconnect] = []
    error = ""
    async with plan.running(BASE) as (ends, link):
        for number in range(times + 1):
            await asyncio.sleep(SETTLE_S[kind])
            for end, those in samples.items():
                if (sample := await look(ends.figures_ports[end], number)) is not None:
                    those.append(sample)
            if number == times or (error := ends.exit_reason()):
                break
            reconnects.append(
                await (darken(ends, link, BASE) if kind == DARK else kill(ends, kind))
            )
            plan.tell(1)
    lines = of_reconnects(reconnects)
    lines += of_growth(samples, times * WARM_UP, 100, MEMORY_MIB_PER_100, "in 100 reconnects")
    about = {
        STREAMER: "kill -9 of denc-stream, another one in its place: what denc-view keeps.",
        VIEWER: "kill -9 of denc-view, another one in its place: what denc-stream keeps.",
        DARK: "The link is dark until both ends gave the session up: what both keep.",
    }
    return Result(
        f"reconnects-{kind}", f"{about[kind]} Engine {plan.peer.engine}.",
        "reconnects", times * WARM_UP, samples, reconnects, lines, error,
    )  # fmt: skip
