"""`make demo`: both daemons as two processes on this machine, measured, beside plain x265.

sizes -> live (denc-view and denc-stream over WebRTC) -> replay (the shown pictures, made again)
      -> source (the same frames, as they were) -> anchor (x265 at the same bits) -> report
"""
