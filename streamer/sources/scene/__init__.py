"""The built-in scene: a camera that moves along a yard wall, past things at other distances.

Real photographs (those that scikit-image's wheel carries) on layers that move at their own speeds,
as a camera's parallax would have it; every picture is a pure function of its time.

    pictures (photographs) -> yard (what stands where) -> layers (how each moves) -> frame
"""
