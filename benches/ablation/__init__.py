"""denc with one of its parts taken away or changed, for `denc-bench ablate`.

configurations.py   what is compared with what
makers.py           latents by TinyAE or plain downscaling, on fitted or even levels
carried.py          the same latents through another codec
measuring.py        the points of every configuration, kept as they are measured
rows.py             what they say: BD-rates
table.py            as text and Markdown
plot.py             as bars
"""
