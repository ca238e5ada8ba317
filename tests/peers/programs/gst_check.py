"""Ends with 0 if this Python has all of GStreamer that the tests use."""

from __future__ import annotations

import sys

ELEMENTS = ("webrtcbin", "nicesrc", "dtlsenc", "srtpenc", "x265enc", "x264enc", "avdec_h265")
PARTS = ("rawvideoparse", "rtph265pay", "rtph265depay", "h265parse", "clocksync")

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    gi.require_version("GstSdp", "1.0")
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    sys.exit(str(error))

Gst.init(None)
missing = [name for name in ELEMENTS + PARTS if Gst.ElementFactory.find(name) is None]
if missing:
    sys.exit(f"no {', '.join(missing)}")
