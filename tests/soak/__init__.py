"""`make soak`: both daemons for hours at 1% of loss, or through a hundred reconnects.

    ends (tests.net.ends) -> sample: memory, descriptors, threads, tasks, pictures, latency
                          -> trend, verdict -> report.md, report.json, soak.png

docs/soak.md says how to read it.
"""
