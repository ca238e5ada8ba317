// A libdatachannel publisher: node datachannel_send.mjs MODULES URL TOKEN STREAM FPS
//
// STREAM holds access units, each behind its size in 4 bytes; H265RtpPacketizer makes single NAL
// units and FUs of them. Says on standard output what happens; ends when its input does.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, url, token, stream, fps] = process.argv.slice(2);
const peer = createRequire(modules + "/")("node-datachannel");
const PAYLOAD_TYPE = 96, SSRC = 42, CLOCK_HZ = 90000;

const bytes = readFileSync(stream);
const units = [];
for (let at = 0; at < bytes.length; ) {
  const size = bytes.readUInt32BE(at);
  units.push(bytes.subarray(at + 4, at + 4 + size));
  at += 4 + size;
}

const connection = new peer.PeerConnection("denc", { iceServers: [], bindAddress: "127.0.0.1" });
const video = new peer.Video("video", "SendOnly");
video.addH265Codec(PAYLOAD_TYPE);
video.addSSRC(SSRC, "peer", "stream", "track");
const track = connection.addTrack(video);
const config = new peer.RtpPacketizationConfig(SSRC, "peer", PAYLOAD_TYPE, CLOCK_HZ);
const packetizer = new peer.H265RtpPacketizer("StartSequence", config, 1000);
packetizer.addToChain(new peer.RtcpSrReporter(config));
packetizer.addToChain(new peer.RtcpNackResponder());
track.setMediaHandler(packetizer);

const headers = { Authorization: `Bearer ${token}` };
let resource;
connection.onStateChange((state) => console.log("CONNECTION", state));
connection.onGatheringStateChange(async (state) => {
  if (state !== "complete") return;
  const offer = connection.localDescription().sdp;
  console.log("OFFER\n" + offer);
  const reply = await fetch(url, {
    method: "POST", headers: { ...headers, "Content-Type": "application/sdp" }, body: offer,
  });
  const answer = await reply.text();
  console.log("POST", reply.status);
  console.log("ANSWER\n" + answer);
  if (reply.status !== 201) return end();
  resource = new URL(reply.headers.get("location"), url);
  connection.setRemoteDescription(answer, "answer");
});

let sent = 0, ticking;
track.onOpen(() => {
  ticking = setInterval(() => {
    if (!track.isOpen()) return;
    config.timestamp = (config.timestamp + CLOCK_HZ / fps) >>> 0;
    track.sendMessageBinary(units[sent++ % units.length]);
  }, 1000 / fps);
});

async function end() {
  clearInterval(ticking);
  if (resource) console.log("DELETE", (await fetch(resource, { method: "DELETE", headers })).status);
  resource = undefined;
  connection.close();
  peer.cleanup();
  process.exit(0);
}
process.stdin.on("end", end).resume();
connection.setLocalDescription();
