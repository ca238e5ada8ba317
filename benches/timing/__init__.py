"""How long each stage of both programs takes, for `denc-bench speed`.

stopwatch.py   wall and CPU time by stage
runtimes.py    which runtimes of the networks this machine has
stages.py      every stage at one size, frame by frame, beside x265
buffering.py   batches of N, apart from decoding or not; a restorer that is too slow
memory.py      peak memory of a network, in a process of its own
daemons.py     both programs as they are: frame rate and memory
targets.py     what is to be reached, and whether it is
table.py       as text
plot.py        as bars
"""
