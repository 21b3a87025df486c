"""Edge's encoders: sizes as published, padding as TensorFlow's, weights under either published naming."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from safetensors.torch import save_file  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.models.config import EdgeConfig  # noqa: E402
from personvlm.models.depthwise import TrainedDepthwise  # noqa: E402
from personvlm.models.edge import EdgeVLM  # noqa: E402
from personvlm.models.efficientnet_lite import SIZES, EfficientNetLite, published_names  # noqa: E402
from personvlm.models.encoder import EfficientNetLiteEncoder, build_encoder  # noqa: E402


@pytest.mark.parametrize(("name", "parameters", "blocks", "fine"), [
    # The PyPI packages' own networks, less their classifiers of 1,281,000.
    ("efficientnet_lite0", 3_371_008, 16, 112), ("efficientnet_lite1", 4_135_680, 21, 112),
    ("efficientnet_lite2", 4_811_072, 21, 120),
])  # fmt: skip
def test_sizes_are_the_published_ones(name: str, parameters: int, blocks: int, fine: int) -> None:
    with torch.device("meta"):
        model = EfficientNetLite(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert sum(len(list(stage.children())) for stage in model.blocks) == blocks
    assert model.channels == (fine, 1280)


@pytest.mark.parametrize("name", ["mobilenet_v2", *SIZES])
def test_maps_at_stride_16_and_32(name: str) -> None:
    encoder = build_encoder(name).eval()
    with torch.no_grad():
        fine, coarse = encoder(torch.zeros(1, 3, 96, 64))
    assert fine.shape == (1, encoder.channels[0], 6, 4)
    assert coarse.shape == (1, encoder.channels[1], 3, 2)


def test_the_odd_pixel_of_padding_goes_right_and_below() -> None:
    """By hand, TensorFlow's SAME for a stride of 2 over an even size: nothing left and above for 3x3, one for 5x5."""
    model = EfficientNetLite("efficientnet_lite0")
    x = torch.arange(2 * 96 * 8 * 6, dtype=torch.float32).reshape(2, 96, 8, 6).sin()
    three, five = model.blocks[1][0], model.blocks[2][0]
    assert torch.equal(three.padded(x), F.pad(x, [0, 1, 0, 1]))
    assert torch.equal(five.padded(x), F.pad(x, [1, 2, 1, 2]))
    assert torch.equal(five.padded(x[:, :, :7, :5]), F.pad(x[:, :, :7, :5], [2, 2, 2, 2]))
    assert model.blocks[1][1].padded(x) is x


def _pypi_name(ours: str, places: dict[str, int]) -> str:
    """The name that the PyPI packages give to one of our tensors, written down from their files."""
    ends = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    top = ours.split(".")[0]
    if top in ends:
        return ours.replace(top, ends[top], 1)
    _, stage, block, part, *rest = ours.split(".")
    number = places[f"{stage}.{block}"]
    names = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
             "conv_pwl": "_project_conv", "bn3": "_bn2"}  # fmt: skip
    if number == 0:
        names = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    return ".".join([f"_blocks.{number}", names[part], *rest])


def _published(folder: Path, encoder: EfficientNetLiteEncoder, pypi: bool) -> dict[str, Tensor]:
    state = encoder.backbone.state_dict()
    places = [f"{stage}.{block}" for stage, blocks in enumerate(encoder.backbone.blocks)
              for block in range(len(list(blocks.children())))]  # fmt: skip
    numbers = {place: number for number, place in enumerate(places)}
    named = {_pypi_name(name, numbers) if pypi else name: tensor.clone() for name, tensor in state.items()}
    classifier = {"_fc.weight": torch.zeros(3, 1280)} if pypi else {"classifier.weight": torch.zeros(3, 1280)}
    folder.mkdir(exist_ok=True)
    save_file({**named, **classifier}, folder / "model.safetensors")
    return named


@pytest.mark.parametrize("pypi", [True, False])
def test_published_weights_load_under_both_namings(tmp_path: Path, pypi: bool) -> None:
    torch.manual_seed(0)
    published, encoder = (EfficientNetLiteEncoder("efficientnet_lite0") for _ in range(2))
    _published(tmp_path, published, pypi)
    encoder.load_pretrained(tmp_path)
    for name, tensor in published.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], tensor), name


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    names = _published(tmp_path, EfficientNetLiteEncoder("efficientnet_lite1"), pypi=True)
    model = EfficientNetLite("efficientnet_lite1")
    assert sorted(set(published_names(model, names).values())) == sorted(model.state_dict())
    with pytest.raises(InputError, match=r"model\.safetensors"):
        EfficientNetLiteEncoder("efficientnet_lite0").load_pretrained(tmp_path)


def test_norms_that_have_their_statistics_keep_them() -> None:
    torch.manual_seed(0)
    encoder = EfficientNetLiteEncoder("efficientnet_lite0")
    next(iter(encoder.norms())).running_mean.fill_(0.1)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encoder.restore_batch_norm(torch.rand(2, 3, 64, 32))
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_large_and_strided_kernels_are_trained_the_fast_way() -> None:
    encoder = build_encoder("efficientnet_lite0")
    adopted = [module for module in encoder.modules() if isinstance(module, TrainedDepthwise)]
    assert len(adopted) == 4 + 7  # with a stride; and 5x5 without


def test_edge_takes_every_encoder_and_names_one_that_is_not_there() -> None:
    with torch.device("meta"):
        for name in ("mobilenet_v2", *SIZES):
            assert sum(p.numel() for p in EdgeVLM(EdgeConfig(300, encoder=name)).parameters()) < 15_000_000
    with pytest.raises(InputError, match="mobilenet_v2, efficientnet_lite0"):
        EdgeVLM(EdgeConfig(300, encoder="resnet152"))
