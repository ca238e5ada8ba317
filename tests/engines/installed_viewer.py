"""The viewer's half with the weights that are installed."""

from safetensors.torch import load_file

from engines.networks.pipeline import ViewerHalf
from engines.networks.presets import build_viewer
from engines.networks.quantized import QuantizedConv2d
from engines.weight_store import WeightStore


def installed_viewer(store: WeightStore, name: str, *, exact: bool = False) -> ViewerHalf:
    """With `exact`, its quantized convolutions compute in floats."""
    viewer = build_viewer(name).eval()
    viewer.load_state_dict({k: v.float() for k, v in load_file(store.weights(name)).items()})
    for module in viewer.modules():
        if exact and isinstance(module, QuantizedConv2d):
            module.set_ranges((0.0, 0.0), (0.0, 0.0))
    return viewer
