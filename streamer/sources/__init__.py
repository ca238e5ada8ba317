"""Where pictures come from: a source is opened from what the user typed and read frame by frame.

open -> camera, rtsp (live)    their pictures come when they come, and may stop
     -> file, demo             paced in real time, or as fast as they are read
"""
