"""The networks, in torch: the reference that the ONNX graphs are exported from and checked against.

    tinyae.py      TinyAE (DeNC++, Figure 4): both halves
    downscale.py   patch-wise downscale
    dcp_unet.py    DCP-Unet (DeNC++, Figure 5): the one-step diffusion restorer
    pipeline.py    the streamer's half and the viewer's half
    graphs.py      the same with the inputs and outputs that are exported
    presets.py     the sizes

All planes are in units of 0..1 inside the networks. The encoder works on 1/4 of the source, where
a source picture is 24 channels (16 of luma + 4 + 4) and its latent 6 (4 + 1 + 1); the viewer's half
on 1/2, where a latent is 3 channels (chroma enlarged) and the restored picture 6 (4 + 1 + 1).
"""
