"""QP offsets of whole pictures, while an x265 encoder stays open.

libavcodec hands x265 no QP with a picture, but the regions of interest that libavfilter's `addroi`
attaches: one region, the whole picture, moves every block's QP by the offset.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av.filter import Graph

QP_RANGE = 51  # what a region's offset of 1 stands for
GRAPHS_MAX = 64  # kept


@contextmanager
def _one_core() -> Iterator[None]:
    """A graph of PyAV 14 to 16 keeps an idle thread for each core that its maker may run on, and
    has no setting for it."""
    if not hasattr(os, "sched_setaffinity"):  # not Linux
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class QpOffset:
    """Marks pictures of one size.

    x265 makes room for offsets in the pictures that it keeps when the first one has any, and
    crashes on later ones otherwise: mark all pictures of an encoder, also by 0.
    """

    def __init__(self, width: int, height: int, time_base: Fraction) -> None:
        self._size, self._time_base = (width, height), time_base
        self._graphs: dict[float, Graph] = {}

    def mark(self, picture: av.VideoFrame, offset: float) -> av.VideoFrame:
        """The picture, to be coded `offset` QPs above what the encoder would choose."""
        if offset not in self._graphs:
            if len(self._graphs) >= GRAPHS_MAX:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[offset] = self._graph(offset)
        graph = self._graphs[offset]
        graph.push(picture)
        marked = graph.pull()
        assert isinstance(marked, av.VideoFrame)
        return marked

    def _graph(self, offset: float) -> Graph:
        graph = Graph()
        if hasattr(graph, "threads"):  # PyAV 18, which has no wheels for Python 3.10
            graph.threads = 1
        width, height = self._size
        with _one_core():  # its first filter gives a graph its threads
            source = graph.add_buffer(
                width=width,
                height=height,
                format=av.VideoFormat("yuv420p"),
                time_base=self._time_base,
            )
        region = graph.add("addroi", f"x=0:y=0:w=iw:h=ih:qoffset={offset}/{QP_RANGE}")
        sink = graph.add("buffersink")
        source.link_to(region)
        region.link_to(sink)
        graph.configure()
        return graph
