"""Bad networks: an emulated link, and the runs over it (`make net`, or `python -m tests.net`).

The link; all but the last two is pure, times are passed in:

    knobs -> schedule <- trace        what the link is like, over time
    schedule, burst_loss -> link_model -> Passage    what it does to one datagram
    flow                              what passed, in slots of 100 ms
    direction -> relay                datagrams between sockets of 127.0.0.1
    emulated_link                     the relay and the WHIP exchange that leads media through it

The runs:

    goals -> scenario -> matrix       what is run, and what it has to reach
    denc_peer, aiortc_peer            who runs: both daemons, or a stock RTCPeerConnection pair
    run -> measures -> report, plots  one scenario with one peer, and what it showed
"""
