"""Issue 6, line 3: what several crops of a person are worth, and whether somebody is found on the other camera.

Nobody in these pictures was trained on: PETA's and orientation's test splits. Prints the figures; run with ``-s``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.images import decode
from personvlm.metrics.reid import Reid, cross_camera
from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.fusion import fuse

ASSETS = Path(os.environ.get("PERSONVLM_ASSETS") or "nowhere")

pytestmark = [pytest.mark.accept,
              pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights"),
              pytest.mark.skipif(not (ASSETS / "data").is_dir(), reason="PERSONVLM_ASSETS has no data")]  # fmt: skip

_MEAN, _STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def test_several_crops_say_more_than_one() -> None:
    """The six attributes (gender, age, hair, upper and lower color, bag), every person counted once."""
    pytest.importorskip("torch", reason="the figure is the one that training follows")
    from personvlm.data.readers import read_peta
    from personvlm.training.validate import headline

    describer = Describer.load()
    people: dict[str, list[Any]] = {}
    for sample in read_peta(ASSETS / "data" / "peta" / "test.jsonl"):
        people.setdefault(sample.identity or "", []).append(sample)
    samples = [sample for pictures in people.values() if len(pictures) >= 3 for sample in pictures[:16]]
    parts = [describer.engine.encode(describer.transform([decode(sample.image) for sample in samples[at : at + 16]]))
             for at in range(0, len(samples), 16)]  # fmt: skip
    logits, quality = (np.concatenate([getattr(part, name) for part in parts]) for name in ("logits", "quality"))
    who = np.array([sample.identity for sample in samples])
    fused = np.stack([fuse(logits[who == one], quality[who == one]) for one in who])
    arrays = [sample.annotations.arrays() for sample in samples]
    data: Any = SimpleNamespace(samples=samples, target=np.stack([target for target, _ in arrays]),
                                mask=np.stack([mask for _, mask in arrays]))  # fmt: skip
    single, track = headline(logits, data), headline(fused, data)
    print(f"\n{len(set(who.tolist()))} people, {len(samples)} crops: one crop {single['mean']:.3f}, fused "
          f"{track['mean']:.3f} ({track['mean'] - single['mean']:+.3f})")  # fmt: skip
    assert track["mean"] >= single["mean"] + 0.03


def test_who_is_on_the_other_camera() -> None:
    """37 people, two cameras, eight sides each: every crop asks among all crops of the other camera."""
    folder = ASSETS / "data" / "orientation"
    rows = [json.loads(line) for line in (folder / "all.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["split"] == "test"]
    people, cameras = [row["identity"] for row in rows], [row["camera"] for row in rows]
    assert (len(rows), len(set(people)), len(set(cameras))) == (592, 37, 2)
    pictures = [folder / row["image"] for row in rows]
    found = {"ours": cross_camera(Describer.load().embed(pictures), people, cameras)}
    found |= {name: cross_camera(np.stack([other(path) for path in pictures]), people, cameras)
              for name, other in others().items()}  # fmt: skip
    print("\n" + "\n".join(f"{name}: rank-1 {one.rank1:.3f}, mAP {one.map:.3f}" for name, one in found.items()))
    assert isinstance(found["ours"], Reid)
    assert found["ours"].rank1 >= 0.70


def others() -> dict[str, Any]:
    """Published models, each as its authors feed it: picture -> vector. Those whose weights are here."""
    import onnxruntime
    from PIL import Image

    def resized(path: Path) -> NDArray[np.float32]:
        picture = Image.fromarray(decode(path)).resize((128, 256), Image.Resampling.BILINEAR)
        return np.asarray(picture, np.float32)

    def session(path: Path) -> Any:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    found: dict[str, Any] = {}
    osnet = ASSETS / "weights" / "osnet_x0_25" / "osnet_x0_25_msmt17.onnx"
    if osnet.is_file():
        net = session(osnet)
        found["OSNet x0.25"] = lambda path: net.run(None, {
            net.get_inputs()[0].name: ((resized(path) / 255 - _MEAN) / _STD).transpose(2, 0, 1)[None]})[0].ravel()
    intel = ASSETS / "weights" / "person_reid_0287" / "person-reidentification-retail-0287.onnx"
    if intel.is_file():
        retail = session(intel)
        found["person_reid_0287"] = lambda path: retail.run(None, {
            retail.get_inputs()[0].name: np.ascontiguousarray(resized(path)[None, :, :, ::-1])})[0].ravel()
    return found
