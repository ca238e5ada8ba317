"""What travels between the two ends: H.265 over RTP, its side information, and the WebRTC session.

The wire code is pure (bytes in, values out, the clock passed in); sockets live in `transport`,
`listener`, `whip_client` and `whip_server` alone. In the order data flows:

    access_unit -> nal -> side_info -> payload -> packet -> history, pacer    (the streamer's end)
    packet -> sequence, nack -> jitter -> payload -> nal -> access_unit       (the viewer's end)
    sdp, transport, sender, receiver, whip_client, whip_server                (the session)
    identity, ice_servers, bearer, rate_limit, listener                       (who may begin one)

Errors (`link.errors` where no other module is named), all of them and nothing else:

    LinkError
    ├── WireError (also ValueError)    bytes from the wire do not parse
    │   ├── SideInfoError              the side information is damaged, or newer than this version
    │   └── SdpError                   an offer or answer that is not one (link.sdp)
    ├── IdentityError                  the key of this box cannot be used (link.identity)
    ├── NoH265Error                    the peer's offer has no H.265 (link.sdp)
    ├── SignallingError                the session could not be set up
    │   ├── Unreachable                nobody answers at the peer's address
    │   │   └── NoMediaPath            the signalling works, and UDP does not
    │   ├── PeerChanged                another box answers than the one known there
    │   └── Refused(status, message)   the peer answered no
    └── SessionEnded(reason)           the session was up and is over
"""
