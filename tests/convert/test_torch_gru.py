"""convert: to and from torch.nn.GRU. What needs no PyTorch is tested without it."""

import numpy as np
import pytest

from gru_zoo.convert import from_torch, to_torch
from gru_zoo.layers.gru import GRU
from gru_zoo.layers.stacked import StackedGRU

B, T, D, U = 3, 5, 4, 7


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def state_dict(num_layers=1, bidirectional=False, bias=True, dtype="float32", features=D):
    """Random arrays by the keys, shapes and order of torch.nn.GRU."""
    rng = np.random.default_rng(4)
    arrays = {}
    for layer in range(num_layers):
        for suffix in ("", "_reverse")[: 1 + bidirectional]:
            width = features if layer == 0 else U * (1 + bidirectional)
            shapes = {"weight_ih": (3 * U, width), "weight_hh": (3 * U, U)}
            if bias:
                shapes |= {"bias_ih": (3 * U,), "bias_hh": (3 * U,)}
            for kind, shape in shapes.items():
                arrays[f"{kind}_l{layer}{suffix}"] = rng.normal(size=shape).astype(dtype)
    return arrays


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
def test_state_dict_there_and_back(num_layers, bidirectional, bias, update_gate):
    arrays = state_dict(num_layers, bidirectional, bias)
    layer = from_torch(arrays, update_gate=update_gate)
    assert (layer.units, layer.num_layers, layer.bidirectional) == (U, num_layers, bidirectional)
    back = to_torch(layer)
    assert list(back) == list(arrays)
    for key, array in arrays.items():
        assert back[key].dtype == array.dtype
        assert back[key].shape == array.shape
        assert back[key].tobytes() == array.tobytes(), key


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_dtype_is_kept(dtype):
    arrays = state_dict(dtype=dtype)
    layer = from_torch(arrays)
    assert layer.dtype == dtype
    assert all(to_torch(layer)[key].tobytes() == array.tobytes() for key, array in arrays.items())


def test_prefix_picks_a_gru_out_of_a_model():
    arrays = {f"encoder.rnn.{key}": value for key, value in state_dict().items()}
    arrays["head.weight"] = np.ones((2, 2), "float32")
    layer = from_torch(arrays, prefix="encoder.rnn.", name="encoder", dropout=0.25)
    assert (layer.name, layer.dropout) == ("encoder", 0.25)
    assert set(to_torch(layer, prefix="encoder.rnn.")) == set(arrays) - {"head.weight"}
    with pytest.raises(ValueError, match=r"got encoder.rnn.weight_ih_l0, .*'encoder.rnn.'"):
        from_torch(arrays)
    with pytest.raises(ValueError, match="keys that begin with prefix='decoder.'; got none"):
        from_torch(arrays, prefix="decoder.")


@pytest.mark.parametrize("gate", [0, 1, 2])
def test_gate_order(gate):
    """Rows r | z | n of PyTorch arrive in the columns z | r | h."""
    arrays = {key: np.zeros_like(value) for key, value in state_dict().items()}
    for array in arrays.values():
        array[gate * U : (gate + 1) * U] = 1.0
    column = {0: 1, 1: 0, 2: 2}[gate]
    for weight in from_torch(arrays).get_weights():
        sums = np.abs(weight).reshape(-1, 3, U).sum(axis=(0, 2))
        assert [bool(total) for total in sums] == [column == number for number in range(3)]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("update_gate", ["keep", "write"])
def test_torch_module_loads_ours(bidirectional, update_gate):
    torch = pytest.importorskip("torch")
    ours = StackedGRU(
        U, num_layers=2, bidirectional=bidirectional, update_gate=update_gate, kernel="loop"
    )
    ours.build((None, None, D))
    ours.set_weights([draw(*weight.shape, seed=i) for i, weight in enumerate(ours.weights)])
    theirs = torch.nn.GRU(D, U, num_layers=2, bidirectional=bidirectional, batch_first=True)
    arrays = to_torch(ours)
    theirs.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
    wanted, wanted_h_n = theirs(torch.from_numpy(draw(B, T, D)))
    output, h_n = ours(draw(B, T, D))
    np.testing.assert_allclose(output, wanted.detach(), atol=1e-5)
    np.testing.assert_allclose(h_n, wanted_h_n.detach(), atol=1e-5)


def test_torch_module_brings_its_dropout_and_a_single_gru_goes_back():
    torch = pytest.importorskip("torch")
    assert from_torch(torch.nn.GRU(D, U, num_layers=2, dropout=0.25)).dropout == 0.25
    ours = GRU(U)
    ours.build((None, None, D))
    torch.nn.GRU(D, U).load_state_dict({k: torch.from_numpy(v) for k, v in to_torch(ours).items()})


def test_wrong_modules_and_dtypes():
    torch = pytest.importorskip("torch")
    for module in (torch.nn.LSTM(D, U), torch.nn.Linear(D, U)):
        kind = type(module).__name__
        with pytest.raises(ValueError, match=f"must be a torch.nn.GRU or a state dict; got {kind}"):
            from_torch(module)
    with pytest.raises(ValueError, match="must be float16, float32 or float64; got bfloat16"):
        from_torch(torch.nn.GRU(D, U, dtype=torch.bfloat16))
    # An LSTM's state dict has the keys of a GRU's, but four gates.
    with pytest.raises(ValueError, match=r"must have shape \[21, .*; got \[28, "):
        from_torch(torch.nn.LSTM(D, U).state_dict())
    with pytest.raises(ValueError, match="weight_hr_l0.*a projection"):
        from_torch(torch.nn.LSTM(D, U, proj_size=2).state_dict())
    with pytest.raises(ValueError, match="weight_ih_l0 must have its numbers; got a tensor of the"):
        from_torch(torch.nn.GRU(D, U, device="meta"))
    with pytest.raises(ValueError, match="bias_ih_l0 must be an array of numbers; got a Tensor"):
        from_torch(changed(bias_ih_l0=torch.ones(3 * U).to_sparse()))


@pytest.mark.parametrize("prefix", [None, 3])
def test_a_prefix_is_a_string(prefix):
    with pytest.raises(ValueError, match=f"prefix must be a string; got {prefix}"):
        from_torch(changed(), prefix=prefix)
    layer = from_torch(changed())
    with pytest.raises(ValueError, match=f"prefix must be a string; got {prefix}"):
        to_torch(layer, prefix=prefix)


@pytest.mark.parametrize("dropout", ["", [], False])
def test_a_dropout_is_a_number(dropout):
    with pytest.raises(ValueError, match="dropout must be a number in"):
        from_torch(changed(), dropout=dropout)


def changed(**changes):
    arrays = state_dict(num_layers=2, bidirectional=True)
    for key, value in changes.items():
        if value is None:
            del arrays[key]
        else:
            arrays[key] = value
    return arrays


@pytest.mark.parametrize(
    "source, message",
    [
        (changed(bias_hh_l1=None), "2 layers and 2 directions; missing: bias_hh_l1"),
        (changed(weight_ih_l0_reverse=None), "missing: weight_ih_l0_reverse"),
        (changed(weight_ih_l3=np.ones((21, 14))), "4 layers .*missing: weight_ih_l2"),
        (changed(extra=np.ones(2)), r"only the keys of a torch.nn.GRU .*; got extra\."),
        (
            changed(weight_ih_l1=np.ones((21, 7), "float32")),
            r"weight_ih_l1 must have shape \[21, 14\].*; got \[21, 7\]",
        ),
        (
            changed(bias_ih_l1=np.ones((20,), "float32")),
            r"bias_ih_l1 must have shape \[21\].*; got \[20\]",
        ),
        (
            changed(weight_hh_l1=np.ones((21, 8), "float32")),
            r"weight_hh_l1 must have shape \[21, 7\].*; got \[21, 8\]",
        ),
        (changed(bias_ih_l0=np.ones(21)), "bias_ih_l0 must be float.*; got float64"),
        ({"weight_ih_l0": np.float32(1), "weight_hh_l0": np.float32(1)}, "must have shape"),
        (changed(bias_ih_l1="b"), "bias_ih_l1 must be an array of numbers; got a str"),
        (changed(bias_ih_l1=[[1], [1, 2]]), "bias_ih_l1 must be an array of numbers; got a list"),
        (
            changed(weight_ih_l99999999999=np.ones((21, 14))),
            "100000000000 layers and 2 directions; missing: weight_ih_l2, .*_l2, ...",
        ),
        ({"rnn.weight_ih_l0": None}, "may be found with prefix='rnn.'"),
        ([1, 2], "source must be a torch.nn.GRU or a state dict; got list"),
        ({0: np.ones((21, 4))}, "source's keys must be a string; got 0"),
        ({}, "keys that begin with prefix=''; got none"),
    ],
)
def test_wrong_state_dicts(source, message):
    with pytest.raises(ValueError, match=message) as error:
        from_torch(source)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"reset_after": False},
            "reset_after must be True for torch.nn.GRU; got False.*no weights",
        ),
        ({"go_backwards": True}, "go_backwards must be False for torch.nn.GRU.*got True"),
        ({"activation": "relu"}, "activation must be 'tanh' for torch.nn.GRU; got 'relu'"),
        ({"recurrent_activation": "relu"}, "recurrent_activation must be 'sigmoid' .*got 'relu'"),
        (
            {"dtype": "bfloat16", "recurrent_initializer": "zeros"},
            "dtype must be float16, float32 or float64 for torch.nn.GRU; got bfloat16",
        ),
    ],
)
def test_what_torch_cannot_do(options, message):
    layer = GRU(U, **options)
    layer.build((None, None, D))
    with pytest.raises(ValueError, match=message):
        to_torch(layer)
