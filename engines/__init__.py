"""The neural codec, both halves: pictures to latents and back, and the H.265 carrier between them.

    frame -> codec (LatentEncoder: runtimes, codebook) -> latent -> carrier -> coded picture
    coded picture -> carrier -> latent -> codec (Restorer: runtimes) -> frame

    networks, training     the networks in torch, and how their weights were made
    weight_store, weights  the installed weights, checked against their manifest
    evaluation             reference clips and quality measures

Errors: `engines.errors`.
"""
