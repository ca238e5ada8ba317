"""The networks, in torch: the reference that the ONNX graphs are exported from and checked against.

    tinyae.py      TinyAE (DeNC++, Figure 4): both halves
    downscale.py   patch-wise Gaussian downscale
    dcp_unet.py    DCP-Unet (DeNC++, Figure 5): the one-step diffusion restorer
    pipeline.py    the streamer's half and the viewer's half
    graphs.py      the same with the inputs and outputs that are exported
    presets.py     the sizes

All planes are in units of 0..1 inside the networks. The common grid is 1/4 of the source: there, a
2:1 TinyAE latent is 6 channels (4 of luma, 2 of chroma) and a source picture is 24 (16 + 4 + 4).
"""
