"""Where restored pictures go: recording, stream recording, frame log, web page.

A sink is a small object with `show` and `close`; `SinkThread` gives each one a thread and a
bounded queue, so that none can hold another, or the restoration, up.
"""
