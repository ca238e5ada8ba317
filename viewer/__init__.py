"""The receiving daemon, `denc-view`: receive -> decode -> reconstruct -> show.

    WHIP session (receive) ─┐ AccessUnit   ┌─> StreamRecord (as received)
                            ├─> Decoding ──┤
    stream file (playback) ─┘   (thread)   └─> LatentBuffer ─> Reconstruction ─> Display
                                    Decoded                       (thread)         │ Shown
                                                                                   ├─> Record
                                                                one thread a sink  ├─> FrameLog
                                                                                   └─> WebPage

Live, every queue is bounded and the newest wins; when a file is restored into a recording, every
queue waits instead and nothing is lost.

Errors: the tree of `daemon` (`UsageError`, `RunError`); the package adds none of its own.
"""
