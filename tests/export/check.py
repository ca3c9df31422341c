"""Runs exported networks in onnxruntime and, where torch is there, loads exported weights into PyTorch.

Called by tests/export/onnxruntime.rs with a folder; prints one JSON object.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

folder = pathlib.Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text())


def session(name):
    path = str(folder / name)
    onnx.checker.check_model(path, full_check=True)
    # Inference of shapes in strict mode knows the type of every value.
    onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def logits(session, case):
    images = np.fromfile(folder / case["images"], dtype="<f4").reshape(case["shape"])
    return session.run(["logits"], {"images": images})[0].ravel().tolist()


def tensors(path):
    """The arrays of a safetensors file."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], dtype="<f4").reshape(entry["shape"])
        for name, entry in header.items()
    }


def network(torch, arrays):
    """Modules with the names and shapes of a state_dict, for `load_state_dict` in strict mode."""
    root = torch.nn.Module()
    for name, array in arrays.items():
        path, kind = name.rsplit(".", 1)
        if kind != "weight":
            continue
        if f"{path}.running_mean" in arrays:
            module = torch.nn.BatchNorm2d(array.shape[0])
        elif array.ndim == 2:
            module = torch.nn.Linear(array.shape[1], array.shape[0])
        else:
            module = torch.nn.Conv2d(array.shape[1], array.shape[0], array.shape[2:], bias=False)
        *parents, last = path.split(".")
        place = root
        for parent in parents:
            if parent not in dict(place.named_children()):
                place.add_module(parent, torch.nn.Module())
            place = getattr(place, parent)
        place.add_module(last, module)
    return root


def check_weights(torch, name):
    arrays = tensors(folder / f"{name}.safetensors")
    for mapped in (False, True):
        loaded = torch.load(folder / f"{name}.pt", weights_only=True, mmap=mapped)
        assert type(loaded).__name__ == "OrderedDict" and loaded.keys() == arrays.keys()
        for key, array in arrays.items():
            assert loaded[key].dtype == torch.float32
            assert np.array_equal(loaded[key].numpy(), array), key
    net = network(torch, arrays)
    net.load_state_dict(loaded, strict=True)
    net.load_state_dict({key: torch.tensor(array) for key, array in arrays.items()}, strict=True)


sessions = {name: session(name) for name in sorted({case["file"] for case in job["cases"]})}
found = {
    "onnxruntime": onnxruntime.__version__,
    "logits": [logits(sessions[case["file"]], case) for case in job["cases"]],
}
try:
    import torch
except ImportError:
    pass
else:
    for name in job["weights"]:
        check_weights(torch, name)
    found["torch"] = torch.__version__
print(json.dumps(found))
