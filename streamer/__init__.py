"""The sending daemon, `denc-stream`: capture -> encode -> send, each in its own thread or task.

    sources/ -> capture -> [newest shot] -> encode -> send     WebRTC, to the viewer
                 thread                     thread \\-> record   Matroska, as it travels

Capture never waits for the encoder (unless a file is written as fast as it goes), and the encoder
never waits for the network. Errors are those of the daemons (`daemon.errors`), and

    RunError
    └── SourceError    the source gave up; a camera that may come back is tried again
"""
