"""The sending daemon, `denc-stream`: capture -> network -> carrier -> send, each on its own.

    sources/ -> capture -> [newest shot] -> network -> [latent] -> carrier -> send      WebRTC
                threads                     thread                 thread  \\-> record   Matroska

Capture never waits for the network (unless a file is written as fast as it goes), the network
waits for the carrier, and the carrier never waits for the viewer.

Errors are those of the daemons (`daemon.errors`), and

    RunError
    └── SourceError    the source gave up; a camera that may come back is tried again
"""
