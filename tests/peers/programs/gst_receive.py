"""A GStreamer viewer: `/usr/bin/python3 gst_receive.py PORT FILE.yuv`.

A WHIP endpoint at http://127.0.0.1:PORT/whip around webrtcbin; H.265 is depayloaded, decoded by
FFmpeg's decoder and written. One session; ends when its input does.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

GATHERING_TIMEOUT_S = 10
_DECODE = (
    "rtph265depay ! h265parse ! avdec_h265 ! videoconvert ! video/x-raw,format=I420"
    " ! filesink name=file"
)


class Viewer:
    """webrtcbin, answering one offer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._gathered = threading.Event()
        self._pipeline = Gst.Pipeline.new("viewer")
        self._peer = Gst.ElementFactory.make("webrtcbin")
        self._peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._pipeline.add(self._peer)
        self._peer.connect("pad-added", self._stream)
        self._peer.connect("notify::ice-gathering-state", self._gathering)
        self._peer.connect("notify::connection-state", self._connection)
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self._error)
        self._pipeline.set_state(Gst.State.PLAYING)

    def answer(self, offer: str) -> str:
        """Waits for all candidates."""
        _, message = GstSdp.SDPMessage.new_from_text(offer)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
        self._do("set-remote-description", described)
        promise = Gst.Promise.new()
        self._peer.emit("create-answer", None, promise)
        promise.wait()
        reply = promise.get_reply()
        self._do("set-local-description", reply.get_value("answer"))
        self._gathered.wait(GATHERING_TIMEOUT_S)
        return str(self._peer.get_property("local-description").sdp.as_text())

    def close(self) -> None:
        """Writes what is left."""
        self._pipeline.set_state(Gst.State.NULL)

    def _do(self, action: str, description: GstWebRTC.WebRTCSessionDescription) -> None:
        promise = Gst.Promise.new()
        self._peer.emit(action, description, promise)
        promise.wait()

    def _stream(self, _: Gst.Element, pad: Gst.Pad) -> None:
        print("CAPS", pad.get_current_caps().to_string(), flush=True)
        decode = Gst.parse_bin_from_description(_DECODE, True)
        decode.get_by_name("file").set_property("location", self._path)
        self._pipeline.add(decode)
        decode.sync_state_with_parent()
        pad.link(decode.sinkpads[0])

    def _gathering(self, peer: Gst.Element, _: object) -> None:
        state = peer.get_property("ice-gathering-state")
        if state == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self._gathered.set()

    def _connection(self, peer: Gst.Element, _: object) -> None:
        print("CONNECTION", peer.get_property("connection-state").value_nick, flush=True)

    def _error(self, _: Gst.Bus, message: Gst.Message) -> None:
        print("ERROR", *message.parse_error(), flush=True)


def endpoint(viewer: Viewer) -> type[BaseHTTPRequestHandler]:
    """The WHIP of it: POST and DELETE."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
            print("OFFER\n" + offer, flush=True)
            answer = viewer.answer(offer)
            print("ANSWER\n" + answer, flush=True)
            self.send_response(201)
            self.send_header("Content-Type", "application/sdp")
            self.send_header("Location", "/whip/1")
            self.end_headers()
            self.wfile.write(answer.encode())

        def do_DELETE(self) -> None:
            print("DELETE", self.path, flush=True)
            self.send_response(200)
            self.end_headers()

    return Handler


def main(port: str, path: str) -> None:
    """Until the input ends."""
    Gst.init(None)
    viewer = Viewer(path)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), endpoint(viewer))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    loop = GLib.MainLoop()

    def until_input_ends() -> None:
        sys.stdin.read()
        loop.quit()

    threading.Thread(target=until_input_ends, daemon=True).start()
    print("LISTENING", flush=True)
    loop.run()
    viewer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
