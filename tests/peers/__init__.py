"""Real, independent peers: other people's programs into denc-view, and denc-stream into them.

    scene -> peer (process) ==== WHIP, RTP ====> denc-view (process) -> recording -> seen.compare
    scene -> denc-stream (process) ==== WHIP, RTP ====> peer (process) -> its pictures -> the same

Each picture carries its number (`tests.net.time_code`), so that what comes out is compared with the
very frame that went in. A peer that is not installed skips its tests, with the command that
installs it: `make peers` (`tests/peers/install.sh`). All traffic stays on this machine. What was
found, with versions: `docs/peers.md`.
"""
