"""Training of the networks. Needs the extra `train` (torch); nothing else in denc imports this.

Data flows one way; each step is a command and leaves its result in the run's folder:

    photos, videos --clips-->         DATA/clips.npy    source clips, 4:2:0
    clips          --train joint-->   RUN/joint.pt      both halves, through the carrier's proxy
    clips, encoder --streams-->       DATA/streams.npy  the same clips as real x265 streams
    streams        --train streams--> RUN/streams.pt    the viewer's half, on what it will see
    checkpoints    --export-->        engines/weights/  fp16 safetensors, ONNX graphs, manifest
"""
