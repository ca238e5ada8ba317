"""A GStreamer publisher: `/usr/bin/python3 gst_send.py URL TOKEN PIPELINE`.

PIPELINE ends in an RTP payloader. webrtcbin makes the offer, all candidates in it, and this script
does no more than carry offer and answer to the WHIP endpoint. Runs until its input is closed, or
the stream is over; then DELETEs the session. Says on standard output what happens, at last how many
RTP payloads of each kind left (RFC 7798, section 4.4).
"""

from __future__ import annotations

import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

HTTP_TIMEOUT_S = 10
RTP_HEADER_BYTES = 12  # payloaders add no extension here
KINDS = {48: "AP", 49: "FU"}  # others are single NAL units


class Publisher:
    """One WHIP session."""

    def __init__(self, url: str, token: str, pipeline: str) -> None:
        self._url, self._token = url, token
        self._resource: str | None = None
        self._loop = GLib.MainLoop()
        self._pipeline = Gst.parse_launch(
            f"{pipeline} ! webrtcbin name=peer bundle-policy=max-bundle"
        )
        self._peer = self._pipeline.get_by_name("peer")
        self._peer.connect("on-negotiation-needed", self._negotiate)
        self._peer.connect("notify::ice-gathering-state", self._gathered)
        self._peer.connect("notify::connection-state", self._connection)
        self._sent: Counter[str] = Counter()
        probed = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST
        self._peer.get_static_pad("sink_0").add_probe(probed, self._count)
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self._message)

    def run(self) -> None:
        threading.Thread(target=self._until_input_ends, daemon=True).start()
        self._pipeline.set_state(Gst.State.PLAYING)
        self._loop.run()
        self._pipeline.set_state(Gst.State.NULL)
        print("SENT", *(f"{kind}:{count}" for kind, count in self._sent.items()), flush=True)
        if self._resource is not None:
            print("DELETE", self._request("DELETE", self._resource)[0], flush=True)

    def _count(self, _: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        if info.type & Gst.PadProbeType.BUFFER_LIST:
            packets = info.get_buffer_list()
            buffers = [packets.get(at) for at in range(packets.length())]
        else:
            buffers = [info.get_buffer()]
        for buffer in buffers:
            first = buffer.extract_dup(RTP_HEADER_BYTES, 1)[0]
            self._sent[KINDS.get(first >> 1 & 63, "NAL")] += 1
        return Gst.PadProbeReturn.OK

    def _until_input_ends(self) -> None:
        sys.stdin.read()
        self._loop.quit()

    def _negotiate(self, peer: Gst.Element) -> None:
        promise = Gst.Promise.new_with_change_func(self._offered, None)
        peer.emit("create-offer", None, promise)

    def _offered(self, promise: Gst.Promise, _: object) -> None:
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self._peer.emit("set-local-description", offer, Gst.Promise.new())

    def _gathered(self, peer: Gst.Element, _: object) -> None:
        if peer.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            return
        offer = peer.get_property("local-description").sdp.as_text()
        print("OFFER\n" + offer, flush=True)
        GLib.idle_add(self._post, offer)

    def _post(self, offer: str) -> bool:
        status, answer, location = self._request("POST", self._url, offer)
        print("POST", status, flush=True)
        print("ANSWER\n" + answer, flush=True)
        if status != 201:
            self._loop.quit()
            return False
        self._resource = urljoin(self._url, location or "")
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self._peer.emit("set-remote-description", described, Gst.Promise.new())
        return False

    def _request(
        self, method: str, url: str, body: str | None = None
    ) -> tuple[int, str, str | None]:
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {self._token}"}
        data = None if body is None else body.encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as response:
                return response.status, response.read().decode(), response.headers["Location"]
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), None

    def _connection(self, peer: Gst.Element, _: object) -> None:
        print("CONNECTION", peer.get_property("connection-state").value_nick, flush=True)

    def _message(self, _: Gst.Bus, message: Gst.Message) -> None:
        if message.type == Gst.MessageType.ERROR:
            print("ERROR", *message.parse_error(), flush=True)
            self._loop.quit()
        elif message.type == Gst.MessageType.EOS:
            print("EOS", flush=True)
            self._loop.quit()


if __name__ == "__main__":
    Gst.init(None)
    Publisher(*sys.argv[1:]).run()
